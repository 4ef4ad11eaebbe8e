"""What goes wrong while cells are drawn is told, and holds up nothing else. Optuna's part is played here."""

import logging
from datetime import datetime, timedelta

import pytest

from srqueue.campaign.spec import campaign_of
from srqueue.errors import DataError, ServiceUnreachable, SpecError
from srqueue.queue import drawing
from srqueue.queue.campaigns import CampaignClient
from srqueue.queue.client import Client
from srqueue.queue.drawing import draw
from srqueue.queue.stewarding import tend
from srqueue.run.reasons import JobState
from srqueue.store.drawn import Drawn
from tests.integration.test_searches import BASE, Trainer

S = JobState
SEARCH = {
    "method": "none", "sampler": "tpe", "trials": 3, "space": {"train.optim_g.lr": {"log": [1e-3, 1e-2]}},
}  # fmt: skip


@pytest.fixture
def campaigns(settings, tiny_dataset):
    tiny_dataset(settings)
    return CampaignClient(Client(settings))


@pytest.fixture
def asked(monkeypatch):
    """How many were asked for, one number a question; each answer is another rate."""
    questions: list[int] = []

    def answer(settings, prefix, search, known, wanted):
        first = sum(questions)
        questions.append(wanted)
        return [
            {"number": first + i, "params": {"train.optim_g.lr": 1e-3 * (1 + (first + i) / 10)}}
            for i in range(wanted)
        ]

    monkeypatch.setattr(drawing, "_ask", answer)
    return questions


def night(name="night", **raw):
    return campaign_of({"base": BASE, "search": SEARCH, **raw}, "n.yaml", name)


def all_there_is(campaigns):
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    for _ in range(12):
        draw(worker.store)
        worker.all()
        tend(worker.store)
    return campaigns.records.get("night")


def test_a_trial_of_which_no_job_can_be_made_is_noted_and_the_search_ends(
    campaigns, asked, monkeypatch, caplog, capsys
):
    from srqueue.cli.__main__ import main

    real, made = drawing.cell_jobs, []

    def refuses(*args):
        made.append(args)
        if len(made) == 2:
            raise DataError("validation would be on pictures that are trained on")
        return real(*args)

    monkeypatch.setattr(drawing, "cell_jobs", refuses)
    campaigns.submit(night())
    assert all_there_is(campaigns).state == "ended"
    assert list(Drawn(campaigns.client.store.connection, "night").unfit("main")) == [1]
    assert len(campaigns.records.cells("night")) == 2
    assert "pictures that are trained on" in caplog.text
    assert main(["campaign", "show", "night"]) == 0
    assert "1 of the drawn trials became no cell: validation would be on" in capsys.readouterr().out


def test_where_redis_is_gone_no_trial_is_lost(campaigns, asked, monkeypatch):
    def gone(*_):
        raise ServiceUnreachable("Redis does not answer")

    campaigns.submit(night())
    monkeypatch.setattr(drawing, "cell_jobs", gone)
    with pytest.raises(ServiceUnreachable):
        draw(campaigns.client.store)
    assert Drawn(campaigns.client.store.connection, "night").unfit("main") == {}


def test_one_campaign_that_cannot_be_drawn_holds_up_no_other(campaigns, asked, caplog):
    campaigns.submit(night("broken"))
    broken = {**campaigns.records.get("broken").spec, "budget": ["3 EUR at 0 EUR/kWh"]}
    campaigns.submit(night())
    campaigns.client.store.connection.redis.hset(
        campaigns.client.store.keys.campaign("broken", "record"), "spec", drawing.json.dumps(broken)
    )
    assert draw(campaigns.client.store) == 1 and campaigns.records.cells("night")
    assert "campaign broken: no cell was drawn" in caplog.text


def test_a_moment_is_the_same_for_all_cells_that_will_be_drawn(campaigns, asked, monkeypatch):
    at = datetime.now().astimezone() + timedelta(days=2)
    rule = f"{at:%a} 22:00"
    campaigns.submit(night(base={**BASE, "stop": rule}))
    (settled,) = campaigns.records.get("night").spec["stages"]["main"]["base"]["stop"]
    assert settled.startswith(f"{at:%Y-%m-%d} 22:00")
    draw(campaigns.client.store)
    (job,) = campaigns.client.list(None, 9)
    assert job.spec["stop"] == [settled]
    again = campaigns.submit(night(base={**BASE, "stop": rule}))
    assert again.left == () and again.differs == {}
    done = campaigns.submit(night(base={**BASE, "stop": "18h"}))  # ends otherwise, and is searched on
    assert done.differs == {f"its stop rules stay as they are: {settled}": 1}
    assert len(campaigns.records.cells("night")) == 1


def test_a_rule_of_a_drawn_stage_that_cannot_hold_is_refused_at_submit(campaigns):
    for rule, told in (("2020-01-01 08:00", "is past already"), ("3 EUR", "SRQUEUE_KWH_PRICE")):
        with pytest.raises(SpecError, match=told):
            campaigns.submit(night(base={**BASE, "stop": rule}))
    assert campaigns.records.find("night") is None


def test_a_moment_that_passes_while_cells_are_drawn_ends_the_search(campaigns, asked, monkeypatch):
    at = datetime.now().astimezone() + timedelta(days=1)
    campaigns.submit(night(base={**BASE, "stop": at.isoformat(sep=" ")}))
    draw(campaigns.client.store)
    monkeypatch.setattr("srqueue.queue.stops.is_spent", lambda rule, now: True)
    assert all_there_is(campaigns).state == "ended"
    assert len(Drawn(campaigns.client.store.connection, "night").unfit("main")) == 2


def test_what_fails_after_a_job_does_not_fail_the_job(campaigns, monkeypatch, caplog):
    from workers import tasks

    def broken(*_):
        raise SpecError("a stop rule is past already")

    monkeypatch.setattr(tasks, "tend", broken)
    with caplog.at_level(logging.WARNING):
        tasks._let_others_begin(campaigns.client.store)
    assert "campaigns are left to the sweepers" in caplog.text and "past already" in caplog.text


def test_no_cell_is_made_after_a_cancel(campaigns, asked, monkeypatch):
    real = drawing._ask

    def cancelled_meanwhile(*args):
        found = real(*args)
        campaigns.cancel("night")
        return found

    monkeypatch.setattr(drawing, "_ask", cancelled_meanwhile)
    campaigns.submit(night())
    assert draw(campaigns.client.store) == 0
    assert campaigns.client.list(None, 9) == () and campaigns.records.cells("night") == ()


def test_a_cell_that_is_made_in_the_moment_of_a_cancel_is_cancelled(campaigns, asked, monkeypatch):
    store = campaigns.client.store
    real = store.create_many

    def cancelled_meanwhile(jobs, **how):
        campaigns.cancel("night")
        return real(jobs, **how)

    campaigns.submit(night())
    monkeypatch.setattr(store, "create_many", cancelled_meanwhile)
    draw(store)
    assert [job.state for job in campaigns.client.list(None, 9)] == [S.CANCELLED]


def test_a_stage_that_waits_is_drawn_when_what_it_waits_for_has_ended(campaigns, asked):
    stages = {"first": {"matrix": {"seed": [1]}, "search": None}, "then": {"after": ["first"]}}
    campaigns.submit(night(stages=stages))
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    first = worker.take()
    assert [draw(worker.store) for _ in range(3)] == [0, 0, 0] and asked == []
    worker.train(first)
    tend(worker.store)
    assert draw(worker.store) == 1
    tend(worker.store)
    assert draw(worker.store) == 0  # the first is measured before the second is drawn
    assert all_there_is(campaigns).state == "ended" and sum(asked) == 3


def test_a_stage_behind_one_that_is_drawn_waits_for_all_of_it(campaigns, asked):
    stages = {"then": {"after": ["first"], "base": {"train.total_iter": 60}}, "first": {}}
    campaigns.submit(night(stages=stages))
    assert all_there_is(campaigns).state == "ended"
    drawn = sorted((cell.job_id, cell.stage) for cell in campaigns.records.cells("night"))
    assert [stage for _, stage in drawn] == ["first"] * 3 + ["then"] * 3
