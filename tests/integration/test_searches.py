"""Searches: cells are compared at rungs; some go on, the others wait there with their checkpoints."""

import json

import pytest

from srqueue.campaign.spec import campaign_of
from srqueue.errors import SpecError
from srqueue.queue.campaigns import CampaignClient
from srqueue.queue.client import Client
from srqueue.queue.stewarding import tend
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.searches import Searches
from tests.integration.nights import TINY

S = JobState
RUNGS = {"rungs": [10, 20]}
BASE = {**TINY, "val.val_freq": 5}


@pytest.fixture
def campaigns(settings, tiny_dataset):
    tiny_dataset(settings)
    return CampaignClient(Client(settings))


def night(search=RUNGS, seeds=6, **raw):
    body = {"base": BASE, "matrix": {"seed": list(range(1, seeds + 1))}, "search": search, **raw}
    return campaign_of(body, "night.yaml", "night")


class Trainer:
    """Takes jobs as a worker does, and reaches at each iteration what `quality` says of the seed."""

    def __init__(self, campaigns, quality):
        self.store, self.quality = campaigns.client.store, quality
        self.searches, self.seen = Searches(self.store.connection), []

    def take(self):
        return self.store.claim("w:1", "h", ["cpu", "any"], 30, {"r": "/runs"})

    def train(self, claimed, reason=None):
        """Up to its rung, or its end."""
        job, token = claimed.record, claimed.token
        seed, until = job.spec["manual_seed"], job.until or job.total_iter
        psnr = self.quality(seed, until)
        self.store.publish(job.id, token, job.attempts, until)
        if until in job.rungs:
            self.searches.note(job.id, token, until, {"val/psnr": psnr})
        ended = reason or (StopReason.RUNG if job.until else StopReason.COMPLETED)
        metrics = {"val/psnr": psnr, "best/psnr": psnr}
        self.seen.append((seed, until))
        return self.store.finish(job.id, token, Outcome(ended, "", until, job.attempts, metrics))

    def all(self):
        """Everything there is to do, one after the other."""
        tend(self.store)
        while claimed := self.take():
            self.train(claimed)
            tend(self.store)


def by_seed(campaigns):
    return {job.spec["manual_seed"]: job for job in campaigns.client.list(None, 100)}


def test_the_best_third_goes_on_from_each_rung_and_the_campaign_ends(campaigns):
    campaigns.submit(night(seeds=9, max_parallel=1))
    worker = Trainer(campaigns, lambda seed, it: 30.0 + (seed * 4) % 9)
    worker.all()
    jobs = by_seed(campaigns)
    best = max(jobs, key=lambda seed: (seed * 4) % 9)
    assert jobs[best].state is S.SUCCEEDED
    assert [j.state for s, j in jobs.items() if s != best] == [S.PAUSED] * 8
    assert sum(it == 10 for _, it in worker.seen) == 9 and sum(it == 40 for _, it in worker.seen) == 1
    assert campaigns.records.get("night").state == "ended"
    messages = {seed: job.message for seed, job in jobs.items()}
    assert messages[9] == "stopped at 10 of 40 iterations: 9th of 9 there"
    third = next(s for s in jobs if (s * 4) % 9 == 7)
    assert messages[third] == "stopped at 20 of 40 iterations: 2nd of 3 there"


def test_what_goes_on_stands_before_what_has_not_begun(campaigns):
    campaigns.submit(night(max_parallel=1))
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    worker.all()
    assert worker.seen[:5] == [(1, 10), (2, 10), (3, 10), (3, 20), (4, 10)]


def test_halving_waits_at_a_rung_for_all(campaigns):
    campaigns.submit(night({**RUNGS, "method": "halving"}, max_parallel=1))
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    worker.all()
    assert worker.seen == [*((seed, 10) for seed in range(1, 7)), (6, 20), (5, 20), (6, 40)]


def test_a_rung_is_no_failure_and_asks_nobody_to_wait(campaigns):
    campaigns.submit(night(max_parallel=1))
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    record = worker.train(worker.take())
    assert (record.state, record.reason, record.failures, record.until) == (S.PAUSED, StopReason.RUNG, 0, 10)
    assert record.message == "at its rung: what the others reach there decides"


def test_one_that_was_stopped_is_resumed_to_its_end(campaigns):
    campaigns.submit(night(max_parallel=1))
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    worker.all()
    last = by_seed(campaigns)[1]
    assert last.stopped
    assert campaigns.client.resume(last.id).state is S.QUEUED
    claimed = worker.take()
    assert (claimed.record.id, claimed.record.until, claimed.record.stopped) == (last.id, None, False)
    assert worker.train(claimed).state is S.SUCCEEDED
    assert campaigns.records.get("night").state == "ended"


def test_who_was_told_to_pause_at_a_rung_goes_on_only_when_resumed_and_is_compared_then(campaigns):
    campaigns.submit(night(seeds=3, max_parallel=1))
    worker = Trainer(campaigns, lambda seed, it: float(-seed))
    first = worker.train(worker.take())
    campaigns.client.pause(first.id)
    worker.all()
    assert [by_seed(campaigns)[s].state for s in (1, 2, 3)] == [S.PAUSED] * 3
    assert campaigns.records.get("night").state == "active"
    campaigns.client.resume(first.id)
    worker.all()
    assert by_seed(campaigns)[1].state is S.SUCCEEDED


def test_while_a_campaign_is_paused_nobody_goes_on_from_a_rung(campaigns):
    campaigns.submit(night(seeds=3, max_parallel=3))
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    claims = [worker.take()]
    while claimed := worker.take():
        claims.append(claimed)
    campaigns.pause("night")
    for claimed in claims:
        worker.train(claimed)
    assert tend(worker.store) == [] and worker.take() is None
    campaigns.resume("night")
    worker.all()
    assert by_seed(campaigns)[3].state is S.SUCCEEDED


def test_who_failed_counts_nowhere(campaigns):
    campaigns.submit(night(seeds=4, max_parallel=1))
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    for _ in range(3):
        worker.train(worker.take())
        tend(worker.store)
    three = worker.take()  # the best of three goes on, and fails
    assert three.record.until == 20
    worker.train(three, StopReason.DIVERGED)
    tend(worker.store)
    worker.all()
    states = {seed: job.state for seed, job in by_seed(campaigns).items()}
    assert states == {1: S.PAUSED, 2: S.PAUSED, 3: S.FAILED, 4: S.SUCCEEDED}
    assert campaigns.records.get("night").state == "ended"


def test_a_stage_after_a_search_begins_when_nothing_of_it_goes_on_any_more(campaigns):
    stages = {
        "rates": {"matrix": {"seed": [1, 2, 3]}, "search": RUNGS},
        "long": {"base": {"train.total_iter": 80, "seed": 7}, "start_from": "rates"},
    }
    campaigns.submit(campaign_of({"base": BASE, "stages": stages, "max_parallel": 1}, "night.yaml", "night"))
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    worker.all()
    jobs = by_seed(campaigns)
    assert [jobs[s].state for s in (1, 2, 3, 7)] == [S.PAUSED, S.PAUSED, S.SUCCEEDED, S.SUCCEEDED]
    assert worker.seen[-1] == (7, 80)


def test_a_job_that_somebody_else_wants_is_trained_to_its_end(campaigns):
    done = campaigns.submit(night(seeds=3, max_parallel=1))
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    record = worker.train(worker.take())
    plain = campaign_of({"base": BASE, "matrix": {"seed": [1]}}, "other.yaml", "other")
    assert campaigns.submit(plain).job_ids == (done.job_ids[0],)
    again = campaigns.client.get(record.id)
    assert (again.state, again.until) == (S.QUEUED, None)


def test_jobs_that_were_trained_before_count_with_what_their_history_says(campaigns):
    plain = campaign_of({"base": BASE, "matrix": {"seed": [1]}}, "other.yaml", "other")
    (known,) = campaigns.submit(plain).job_ids
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    claimed = worker.take()
    lines = [
        json.dumps(
            {"v": 1, "n": n, "t": 1.0, "token": 1, "it": it, "kind": "val", "data": {"val/psnr": 99.0 + n}}
        )
        for n, it in enumerate((5, 10, 15, 20))
    ]
    worker.store.append_events(known, claimed.token, lines)
    worker.train(claimed)
    campaigns.submit(night(seeds=3, max_parallel=1))
    worker.all()
    (one,) = Searches(worker.store.connection).contenders([known])
    assert {rung: found["val/psnr"] for rung, found in one.at.items()} == {10: 100.0, 20: 102.0}
    states = {seed: job.state for seed, job in by_seed(campaigns).items()}
    assert states == {1: S.SUCCEEDED, 2: S.PAUSED, 3: S.PAUSED}  # the best of three was there already


def test_rungs_that_cannot_be_compared_are_told_before_anything_is_queued(campaigns):
    wrong = (
        (night({"rungs": [7, 20]}), "the rung 7 falls between two validations"),
        (night({"rungs": [40]}), "no rung lies below its 40 iterations"),
        (night(matrix={"train.total_iter": [40, 60]}), "differ in train.total_iter"),
    )
    for made, message in wrong:
        with pytest.raises(SpecError, match=message):
            campaigns.submit(made)
    assert campaigns.client.store.connection.redis.keys("*:job:*") == []


def test_a_cancelled_search_ends_and_is_forgotten_without_a_trace(campaigns):
    campaigns.submit(night(seeds=3, max_parallel=1))
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    worker.all()
    campaigns.remove("night", jobs=True)
    keys = worker.store.connection.redis.keys("*")
    assert [key for key in keys if "night" in key or "rungs" in key] == []


def test_show_tells_the_rungs(campaigns, capsys):
    from srqueue.cli.__main__ import main

    campaigns.submit(night(seeds=4, max_parallel=1))
    Trainer(campaigns, lambda seed, it: 30 + seed / 4 + it / 100).all()
    assert main(["campaign", "watch", "night"]) == 0, "what it stopped at rungs is no failure"
    capsys.readouterr()
    assert main(["campaign", "ls"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[2:8] == ["4", "1", "0", "0", "3", "0"]
    assert main(["campaign", "show", "night"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    short = by_seed(campaigns)[4].id[-6:].lower()
    assert ["main", "10", "4", "2", "2", "31.10", "seed", "4", f"({short})"] in lines
    assert ["main", "20", "2", "1", "1", "31.20", "seed", "4", f"({short})"] in lines
    assert ["main", "end", "1", "-", "-", "31.40", "seed", "4", f"({short})"] in lines


def test_where_its_search_has_ended_one_that_is_tried_again_trains_to_its_end(campaigns):
    campaigns.submit(night(seeds=3, max_parallel=1))
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    worker.train(worker.take(), StopReason.DIVERGED)
    worker.all()
    assert campaigns.records.get("night").state == "ended"
    failed = by_seed(campaigns)[1]
    campaigns.client.retry(failed.id)
    record = worker.train(worker.take())
    assert (record.state, record.until) == (S.QUEUED, None)
    assert worker.train(worker.take()).state is S.SUCCEEDED


def test_one_that_was_recovered_at_a_rung_goes_on_in_its_search(campaigns):
    campaigns.submit(night(seeds=3, max_parallel=1))
    worker = Trainer(campaigns, lambda seed, it: float(-seed))
    first = worker.train(worker.take())
    redis, keys = worker.store.connection.redis, worker.store.keys
    redis.hdel(keys.job(first.id), "until", "rungs")  # an older version recovered it
    redis.delete(keys.rungs(first.id))
    line = {"v": 1, "n": 1, "t": 1.0, "token": 1, "it": 10, "kind": "val", "data": {"val/psnr": -1.0}}
    worker.store.append_history(first.id, [json.dumps(line)])
    campaigns.submit(night(seeds=3, max_parallel=1), update=True)
    worker.all()
    assert [by_seed(campaigns)[s].state for s in (1, 2, 3)] == [S.SUCCEEDED, S.PAUSED, S.PAUSED]
