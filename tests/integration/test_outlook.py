"""When all that waits will have ended, and what fits into so many hours: real records, no training."""

import json

import pytest

from srqueue.campaign.spec import campaign_of
from srqueue.cli.forecast_lines import hours_text, searched
from srqueue.forecast.bands import Band
from srqueue.forecast.running import RunForecast
from srqueue.queue.client import Client
from srqueue.queue.histories import earlier_runs
from srqueue.queue.hours import plan_hours
from srqueue.queue.outlook import of_campaign, outlook
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.store.campaigns import Campaigns, StoredCell
from srqueue.store.record import WorkerRecord

HOUR = 36_000
"""Iterations of an hour at the ten a second of `history`."""


@pytest.fixture
def client(settings):
    return Client(settings)


@pytest.fixture
def spec(tiny_spec):
    def make(hours, seed=0, feat=8, own="a" * 64, **more):
        network = {"type": "compact", "num_feat": feat, "num_conv": 1}
        total = round(hours * HOUR)
        return tiny_spec(own, total, manual_seed=seed, network_g=network, val={"val_freq": total}, **more)

    return make


@pytest.fixture
def worker(client):
    def announce(name="w1", slots=1):
        client.store.announce_worker(
            WorkerRecord(
                name=name, host="h", pid=1, classes=("cpu", "any"), device="cpu", version="0", since=1.0,
                root_id="r", slots=slots,
            ),
            600,
        )  # fmt: skip

    return announce


@pytest.fixture
def history(client, spec):
    """A job that ran at ten iterations a second and came to so many dB."""

    def ran(psnr=30.0, **kind):
        job = client.submit(spec(1, **kind), priority=9).job
        claim = client.store.claim("w1:1", "h", ["cpu"], 30, {"r": "/runs"})
        assert claim.record.id == job.id
        progress = {"it_s": 10.0, "validation_s": 0.0, "device": "cpu"}
        client.store.set_progress(job.id, claim.token, HOUR, progress)
        metrics = {"best/psnr": psnr, "best/ssim": 0.9}
        client.store.finish(job.id, claim.token, Outcome(StopReason.COMPLETED, "", HOUR, metrics=metrics))

    return ran


@pytest.fixture
def cli(typed, settings, tmp_path):
    command = typed(tmp_path)
    command.env |= {"SRQUEUE_REDIS_URL": settings.store_url}
    return command


def now(client):
    return client.store.connection.redis.time()[0]


def test_jobs_are_played_on_every_slot(client, spec, worker, history, cli):
    history()
    worker(slots=2)
    for seed in range(1, 5):
        client.submit(spec(1, seed))
    found = outlook(client.store, now(client))
    assert sorted(round(o.begin) for o in found.jobs) == [0, 0, 3600, 3600]
    assert found.end.middle == pytest.approx(7200, rel=0.2) and (found.unknown, found.stuck) == (0, 0)
    assert all(o.psnr.low < 30.0 < o.psnr.high for o in found.jobs)
    told = json.loads(cli("forecast", "--json").stdout)
    assert len(told["jobs"]) == 4 and told["end"][0] < told["end"][1] < told["end"][2]
    assert "your 4 jobs end" in cli("forecast").stdout


def test_what_a_worker_has_handed_back_is_foreseen_to_begin_first_as_it_is_claimed(
    client, spec, worker, history
):
    history()
    worker()
    older, handed = (client.submit(spec(1, seed), priority=seed + 4).job.id for seed in (1, 2))
    for reason, first in ((StopReason.DRAINED, handed), (StopReason.PAUSED, older)):
        claim = client.store.claim("w1:1", "h", ["cpu"], 30, {"r": "/runs"})
        assert claim.record.id == handed
        client.set_priority(handed, 5)
        if reason is StopReason.PAUSED:
            client.pause(handed)
        client.store.finish(handed, claim.token, Outcome(reason, "", 0))
        if reason is StopReason.PAUSED:
            client.resume(handed)
        begins = {o.job.id: o.begin for o in outlook(client.store, now(client)).jobs}
        assert min(begins, key=begins.get) == first
    assert client.store.claim("w1:1", "h", ["cpu"], 30, {"r": "/runs"}).record.id == older


def test_what_nothing_is_known_of_is_counted(client, spec, worker, history, cli):
    history()
    worker()
    client.submit(spec(1, seed=1))
    client.submit(spec(1, feat=16))
    found = outlook(client.store, now(client))
    assert (found.unknown, len([o for o in found.jobs if o.end is None])) == (1, 1)
    assert "of 1 job no speed is known" in cli("forecast").stderr
    assert "nothing like it has run here" in cli("forecast", client.list()[0].short_id).stdout


def test_held_cells_wait_for_their_stage_and_for_their_turn(client, spec, worker, history, cli):
    history()
    worker(slots=4)
    campaigns = Campaigns(client.store.connection)
    stages = {"first": {}, "then": {"after": ["first"]}}
    campaigns.begin("night", {"name": "night", "stages": stages, "max_parallel": 1}, "")
    placed = client.submit_many([spec(1, seed) for seed in (1, 2, 3)], campaign="night")
    ids = [p.job_id for p in placed]
    campaigns.put_cells("night", [StoredCell(i, "first", {}) for i in ids])
    campaigns.set("night", state="active", cells=3)
    client.submit(spec(1, seed=9))
    found = of_campaign(client.store, "night", now(client))
    assert sorted(round(o.begin) for o in found.jobs) == [0, 3600, 7200]
    assert "campaign night: 3 jobs end" in cli("forecast", "night").stdout
    assert "±" in cli("campaign", "ls").stdout and "its 3 jobs end" in cli("campaign", "show", "night").stdout


def test_what_fits_is_planned_and_its_priorities_are_set(client, spec, worker, history, cli):
    history(30.0)
    history(31.0, feat=12)
    worker()
    poor = [client.submit(spec(1, seed)).job.id for seed in (1, 2)]
    rich = client.submit(spec(1, seed=1, feat=12)).job.id
    unknown = client.submit(spec(1, feat=16)).job.id
    told = json.loads(cli("plan", "--hours", "1.5", "--json").stdout)
    assert [j["id"] for j in told["fit"]] == [rich] and set(told["do_not_fit"]) == set(poor)
    assert told["without_speed"] == [unknown] and not told["applied"]
    assert {client.get(i).priority for i in (*poor, rich)} == {5}
    done = cli("plan", "--hours", "1.5", "--apply")
    assert (
        "1 job of 4 that wait fit into 1.5 h" in done.stdout and "set the priorities of 3 jobs" in done.stderr
    )
    assert [client.get(i).priority for i in (rich, *poor, unknown)] == [8, 3, 3, 5]
    assert "there is no campaign" in cli("plan", "nowhere", code=2).stderr


def test_a_file_is_forecast_before_it_is_queued(client, spec, history, cli, tmp_path):
    history()
    one = tmp_path / "one.yaml"
    one.write_text(json.dumps(spec(1, seed=4).model_dump(mode="json")))
    found = json.loads(cli("forecast", one, "--json").stdout)
    assert found["takes_s"][1] == pytest.approx(3600, rel=0.01) and found["psnr"][0] < 30 < found["psnr"][2]
    assert "1 run of the same kind" in cli("forecast", one).stdout


def test_what_has_not_run_is_timed_by_itself_and_only_once(spec, tiny_dataset, cli, tmp_path, valkey):
    own = tiny_dataset(cli.settings).identity
    one = tmp_path / "one.yaml"
    one.write_text(json.dumps(spec(1, own=own).model_dump(mode="json")))
    assert json.loads(cli("forecast", one, "--no-calibrate", "--json").stdout)["takes_s"] is None
    first = cli("forecast", one, "--json")
    assert "measuring 1 kind of work" in first.stderr
    found = json.loads(first.stdout)
    low, middle, high = found["takes_s"]
    assert 0 < low < middle < high and found["speed_from"] == "a short measurement"
    second = cli("forecast", one, "--json")
    assert second.stderr == "" and json.loads(second.stdout) == found


def test_a_campaign_file_is_forecast_cell_by_cell(settings, cli, valkey, tmp_path):
    from srqueue.datasets import DatasetEntry, Registry

    own = cli.settings.model_copy(update={"datasets": tmp_path / "datasets.yaml"})
    Registry(own).put(DatasetEntry("cc0", "/hr", "c" * 64, pictures=500, held_out=5))
    file = tmp_path / "night.yaml"
    file.write_text("base: {dataset: cc0, preset: quick}\nmatrix: {seeds: [1, 2, 3]}\n")
    found = json.loads(cli("forecast", file, "--no-calibrate", "--json").stdout)
    assert [row["iterations"] for row in found] == [5000] * 3 and found[0]["takes_s"] is None
    shown = cli("campaign", "submit", file, "--dry-run")
    assert "TAKES" in shown.stdout and "no speed is known of any" in shown.stderr


def test_a_total_with_a_search_is_one_at_the_most():
    known = [RunForecast(0, 10, Band(1, 2, 3))]
    plain = {"base": {"dataset": "cc0"}, "matrix": {"seed": [1, 2]}}
    search = {"rungs": [10]}
    assert "at the most" not in hours_text(known, searched(campaign_of(plain, "x", "x")))
    assert "at the most" in hours_text(known, searched(campaign_of({**plain, "search": search}, "x", "x")))


def test_rungs_and_stop_rules_shorten_jobs_and_what_a_search_decides_is_said(
    client, spec, worker, history, cli
):
    history()
    worker(slots=4)
    rule = client.submit(spec(1, seed=1, stop=[f"{HOUR // 2} it"])).job.id
    timed = client.submit(spec(1, seed=2, stop=["600 s"])).job.id
    trial = client.submit(spec(1, seed=3)).job.id
    rests = client.submit(spec(1, seed=4)).job.id
    redis, keys = client.store.connection.redis, client.store.keys
    redis.hset(keys.job(trial), "until", HOUR // 4)
    redis.hset(keys.job(rests), mapping={"state": "paused", "reason": "rung"})
    redis.zadd(keys.state("paused"), {rests: 1})
    redis.zrem(keys.state("queued"), rests)
    found = outlook(client.store, now(client))
    ends = {o.job.id: o.end.middle for o in found.jobs}
    assert ends == pytest.approx({rule: 1800, timed: 600, trial: 900}, rel=0.1)
    assert (found.to_rung, found.at_rungs) == (1, 1)
    told = cli("forecast")
    assert "as far as their next rungs" in told.stdout
    assert "1 trial is foreseen to the next rung only" in told.stderr
    assert "1 trial waits at its rung" in told.stderr
    assert "a search decides" in cli("forecast", trial).stdout


def test_what_was_cut_short_says_nothing_of_the_quality_of_its_kind(client, spec):
    for number, (reason, rules) in enumerate(
        [(StopReason.BUDGET_SPENT, []), (StopReason.STOPPED_EARLY, ["< 0.1 dB in 5 it"])]
    ):
        job = client.submit(spec(1, seed=number, stop=rules)).job
        token = client.store.claim("w1:1", "h", ["cpu"], 30, {"r": "/runs"}).token
        outcome = Outcome(reason, "", 10, metrics={"best/psnr": 20.0})
        client.store.finish(job.id, token, outcome)
    assert not earlier_runs(client.store).by_kind
    job = client.submit(spec(1, seed=7)).job
    token = client.store.claim("w1:1", "h", ["cpu"], 30, {"r": "/runs"}).token
    outcome = Outcome(StopReason.STOPPED_EARLY, "", 10, metrics={"best/psnr": 30.0})
    client.store.finish(job.id, token, outcome)
    assert len(earlier_runs(client.store).by_kind) == 1


def test_of_many_those_are_played_that_run_first(client, spec, worker, history, monkeypatch, cli):
    history()
    worker()
    ids = [client.submit(spec(1, seed)).job.id for seed in range(1, 6)]
    client.set_priority(ids[4], 8)
    campaign = client.submit_many([spec(1, 9)], campaign="night")[0].job_id
    monkeypatch.setattr("srqueue.queue.of_queue.MOST", 3)
    found = outlook(client.store, now(client))
    assert [o.job.id for o in sorted(found.jobs, key=lambda o: o.begin)] == [ids[4], ids[0], ids[1]]
    assert found.left_out == 3
    behind = of_campaign(client.store, "night", now(client))
    assert (behind.jobs, behind.left_out) == ((), 1)
    assert outlook(client.store, now(client), [campaign]).left_out == 1
    planned = plan_hours(client.store, 10, now(client))
    assert set(planned.jobs) == {ids[4], ids[0], ids[1]} and planned.left_out == 3


def test_what_was_foreseen_of_a_rung_is_not_said_of_what_follows(client, spec, worker, history):
    history()
    worker()
    trial = client.submit(spec(1, seed=3)).job.id
    redis, key = client.store.connection.redis, client.store.keys.job(trial)
    end, quarter = now(client), HOUR // 4
    told = {"made": end, "iteration": 8000, "end": [end] * 3, "psnr": [20, 21, 22], "ends_at": [quarter] * 3}
    going_on = {"until": HOUR // 2, "iteration": quarter, "progress": json.dumps({"forecast": told})}
    redis.hset(key, mapping=going_on)
    (found,) = outlook(client.store, end).jobs
    assert found.psnr.middle > 25 and found.end.middle == pytest.approx(900, rel=0.2)
    redis.hset(key, "iteration", 8000)
    assert outlook(client.store, end).jobs[0].psnr.middle == 21
