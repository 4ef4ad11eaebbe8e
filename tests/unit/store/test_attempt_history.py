"""What the store remembers of the attempts at a job."""

import pytest
from ulid import ULID

from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.store import Store

PLACES = {"root": "/runs"}


@pytest.fixture
def job(store):
    job_id = str(ULID())
    store.create(job_id, spec={}, origins={}, spec_id="s", name="j", total_iter=100)
    return job_id


def claim(store, worker="w1@here:7"):
    return store.claim(worker, "here", ["any"], 60, PLACES)


def test_an_attempt_is_noted_from_its_claim_to_its_end(store: Store, job):
    token = claim(store).token
    (running,) = store.attempts(job)
    assert (running.token, running.worker, running.host, running.from_iteration) == (
        1,
        "w1@here:7",
        "here",
        0,
    )
    assert running.begun > 0 and running.ended is None and running.reason is None
    store.publish(job, token, 1, 40)
    store.set_progress(job, token, 47, {})
    store.finish(job, token, Outcome(StopReason.DRAINED, "told to end", 47, seq=1))
    (ended,) = store.attempts(job)
    assert (ended.reason, ended.iteration, ended.seq, ended.state) == (
        StopReason.DRAINED, 47, 1, JobState.QUEUED,
    )  # fmt: skip
    assert ended.ended >= ended.begun and not ended.counted and ended.message == "told to end"
    claim(store)
    assert [a.from_iteration for a in store.attempts(job)] == [0, 40]


def test_failures_without_a_checkpoint_are_counted_and_those_with_one_are_not(store: Store, job):
    token = claim(store).token
    store.publish(job, token, 1, 40)
    store.finish(job, token, Outcome(StopReason.CRASHED, "boom", 50))
    store.finish(job, claim(store).token, Outcome(StopReason.CRASHED, "boom", 60))
    first, second = store.attempts(job)
    assert (first.counted, first.failures) == (False, 0)
    assert (second.counted, second.failures, second.not_before is not None) == (True, 1, True)


def test_a_lease_that_is_taken_back_ends_no_attempt(store: Store, job):
    token = claim(store).token
    store.connection.redis.zadd(f"{store.keys.root}leases", {job: 0})
    store.sweep()
    assert store.attempts(job)[0].reason is StopReason.WORKER_LOST
    store.renew(job, token, 60)
    (attempt,) = store.attempts(job)
    assert attempt.ended is None and attempt.reason is None and attempt.message is None
    assert store.moments(job).lease_left == pytest.approx(60, abs=5)


def test_the_token_is_that_of_the_run_folder(store: Store, job):
    store.raise_token(job, claim(store).token, 9)
    assert [a.token for a in store.attempts(job)] == [9]


def test_only_the_newest_hundred_are_kept_and_a_long_message_is_cut_between_characters(store: Store, job):
    for number in range(103):
        store.finish(job, claim(store).token, Outcome(StopReason.DRAINED, "\u00e4" * 2000, number))
    kept = store.attempts(job)
    assert [a.token for a in kept] == list(range(4, 104))
    assert 1490 < len(kept[-1].message.encode()) <= 1510
    assert kept[-1].message.startswith("\u00e4" * 700) and kept[-1].message.endswith("...")


def test_they_go_with_their_job(store: Store, job):
    store.finish(job, claim(store).token, Outcome(StopReason.COMPLETED, "", 100))
    store.remove(job)
    assert store.attempts(job) == ()
    assert store.moments(job).lease_left is None


def test_a_claim_that_is_undone_was_no_attempt(store: Store, job):
    token = claim(store).token
    assert store.defer(job, token, 3)
    assert store.attempts(job) == () and store.get(job).state is JobState.QUEUED
    assert store.get(job).attempts == 0
