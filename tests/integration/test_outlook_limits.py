"""What windows and budgets make of a queue's end: real records, no training."""

import time
from datetime import datetime

import pytest

from srqueue.campaign.spec import campaign_of
from srqueue.cli import campaign_lines
from srqueue.cli.budget_lines import one_worker_lines
from srqueue.cli.forecast_lines import job_lines, outlook_dict, remarks
from srqueue.forecast.told import clock
from srqueue.queue.cell_forecasts import forecast_specs
from srqueue.queue.client import Client
from srqueue.queue.hours import plan_hours
from srqueue.queue.outlook import of_campaign, outlook
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.spec.stopping import parse_rules
from srqueue.store.campaigns import Campaigns
from srqueue.store.record import WorkerRecord

HOUR = 36_000
"""Iterations of an hour at the ten a second of `history`."""


@pytest.fixture
def client(settings):
    return Client(settings)


@pytest.fixture
def spec(tiny_spec):
    def make(hours, seed=0, **more):
        total = round(hours * HOUR)
        return tiny_spec("a" * 64, total, manual_seed=seed, val={"val_freq": total}, **more)

    return make


@pytest.fixture
def worker(client):
    def announce(**more):
        client.store.announce_worker(
            WorkerRecord(
                name="w1", host="h", pid=1, classes=("cpu", "any"), device="cpu", version="0", since=1.0,
                root_id="r", **more,
            ),
            600,
        )  # fmt: skip

    return announce


@pytest.fixture(autouse=True)
def history(client, spec):
    """A job that ran at ten iterations a second."""
    job = client.submit(spec(1), priority=9).job
    claim = client.store.claim("w1:1", "h", ["cpu"], 30, {"r": "/runs"})
    progress = {"it_s": 10.0, "validation_s": 0.0, "device": "cpu", "attempt_kwh": 0.5, "kwh_token": 1}
    client.store.set_progress(job.id, claim.token, HOUR, progress)
    client.store.finish(job.id, claim.token, Outcome(StopReason.COMPLETED, "", HOUR))
    # As if it had taken an hour.
    client.store.connection.redis.hset(client.store.keys.job(job.id), "claimed", time.time() - 3600)


@pytest.fixture
def cli(typed, settings, tmp_path):
    command = typed(tmp_path)
    command.env |= {"SRQUEUE_REDIS_URL": settings.store_url}
    return command


@pytest.fixture
def campaign(client, spec):
    def make(budget, hours=(1, 1, 1, 1)):
        campaigns = Campaigns(client.store.connection)
        rules = campaign_of({"base": {"dataset": "x"}, "budget": budget}, "n", "n").model_dump(mode="json")
        campaigns.begin("night", {"stages": {"main": {}}, "budget": rules["budget"]}, "")
        specs = [spec(h, seed) for seed, h in enumerate(hours, 1)]
        client.submit_many(specs, campaign="night")
        campaigns.set("night", state="active", cells=len(hours))

    return make


def from_now(seconds):
    return time.strftime("%H:%M", time.localtime(time.time() + seconds))


def now(client):
    return float(client.store.connection.redis.time()[0])


def test_a_closed_window_puts_a_job_off_and_lets_another_pass(client, spec, worker):
    worker()
    window = f"{from_now(3 * 3600)}-{from_now(5 * 3600)}"
    night = client.submit(spec(1, seed=1, window=[window]), priority=9).job.id
    other = client.submit(spec(2, seed=2)).job.id
    found = {o.job.id: o for o in outlook(client.store, now(client)).jobs}
    assert found[other].end.middle == pytest.approx(7200, rel=0.3)
    assert found[night].end.middle == pytest.approx(4 * 3600, rel=0.1)
    # Four hours of which the job in its window needs one: all fits, but not into three.
    assert len(plan_hours(client.store, 4.5, now(client)).choice.order) == 2
    assert [c.id for c in plan_hours(client.store, 3, now(client)).choice.order] == [other]


def test_the_window_of_a_worker_interrupts_what_is_longer(client, spec, worker):
    worker(window=f"{from_now(-3600)}-{from_now(3600)}")
    job = client.submit(spec(1.5, seed=1)).job.id
    (found,) = outlook(client.store, now(client)).jobs
    assert found.job.id == job and found.begin == 0
    # One hour today, the rest of it from tomorrow's opening on, 22 hours after.
    assert found.end.middle == pytest.approx(23.5 * 3600, abs=3900)


def test_a_budget_of_time_ends_a_campaign_before_its_jobs(client, worker, campaign, cli):
    worker()
    campaign("2.5h")
    found = of_campaign(client.store, "night", now(client))
    assert found.end.middle == pytest.approx(2.5 * 3600, rel=0.01)
    assert [o.unpaid for o in found.jobs] == [False, False, False, True]
    assert (found.unpaid, found.stuck, found.budgets[0].unbegun) == (1, 0, 1)
    told = cli("forecast", "night")
    assert "campaign night: its budget (150min) will be spent" in told.stderr
    assert "1 job will not have begun" in told.stderr and "campaign night: 3 jobs of 4 end" in told.stdout
    *_, last = job_lines(found.jobs[3], now(client))
    assert last == "it will not begin: the budget of its campaign is spent before"
    raw = outlook_dict(found, now(client))
    assert raw["budgets"][0]["not_begun"] == 1 and raw["jobs"][3]["unpaid"]
    planned = plan_hours(client.store, 100, now(client))
    assert len(planned.choice.order) == 2 and len(planned.choice.rest) == 2


def test_a_budget_of_energy_is_spent_at_what_ran_drew(client, worker, campaign):
    worker()
    campaign("1.2 kWh")  # half a kWh an hour
    found = of_campaign(client.store, "night", now(client))
    assert found.budgets[0].at.middle == pytest.approx(2.4 * 3600, rel=0.02)
    records = Campaigns(client.store.connection)
    assert ", its budget spent" in campaign_lines.ends_of(records.connection, records.newest())["night"]
    _, line = campaign_lines.end(client.store, records.get("night"))
    assert "its budget (1.2 kWh) will be spent" in line and "2 jobs will not have begun" not in line


def test_a_budget_that_lasts_is_not_spoken_of(client, worker, campaign):
    worker()
    campaign("40h, 90 kWh")
    found = of_campaign(client.store, "night", now(client))
    assert found.budgets == () and found.end.middle == pytest.approx(4 * 3600, rel=0.2)
    assert not any("budget" in line for line in remarks(found, now(client)))


def test_a_moment_ends_it_all(client, worker, campaign):
    worker()
    until = datetime.fromtimestamp(now(client) + 5400).astimezone().isoformat(" ", "seconds")
    campaign(until, hours=(1, 1, 1))
    found = of_campaign(client.store, "night", now(client))
    assert found.end.middle == pytest.approx(5400, abs=5) and found.unpaid == 1


def test_a_file_is_told_how_far_its_budget_goes_and_when_its_windows_let_it_end(settings, client, spec):
    def told(specs, budget=()):
        found = forecast_specs(settings, specs)
        return list(one_worker_lines(settings, specs, found, parse_rules(budget), now(client)))

    three = [spec(1, seed) for seed in range(3)]
    assert told(three) == told(three, "4h") == []
    (line,) = told(three, "1.5h")
    assert line.startswith("its budget (90min) is spent") and "with 1 cell not begun" in line
    assert "with 2 cells not begun" in told(three, "0.25 kWh")[0]  # half a kWh an hour
    (line,) = told([spec(1, window=[f"{from_now(3 * 3600)}-{from_now(5 * 3600)}"])])
    ends = [clock(now(client) + 4 * 3600 + s, now(client)) for s in (-60, 0, 60)]
    assert line.startswith("in its windows it ends") and any(end in line for end in ends)
