"""Jobs whose window is closed, and those that left their machine to its user."""

import time

import pytest
from ulid import ULID

from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.new import NewJob
from srqueue.store.preemption import preempt
from srqueue.store.record import RecordGone, WorkerRecord

S = JobState
LATER = 30_000.0  # s from now: far beyond what a clock that jumped may have written


def submit(store, opens=None, **more):
    job = NewJob(
        str(ULID()), {}, {}, str(ULID()), "job", 9, opens=None if opens is None else time.time() + opens,
        message="its window is closed", **more,
    )  # fmt: skip
    ((made, _),) = store.create_many([job])
    return made


def claim(store):
    return store.claim("w:1", "h", ["any"], 30, {"r": "/runs"})


def open_now(store, job):
    """Its moment has come."""
    store.connection.redis.zadd(store.keys.opening, {job: time.time() - 1})


def test_one_whose_window_is_closed_is_queued_and_cannot_be_claimed(store):
    job = submit(store, LATER)
    record = store.get(job)
    assert (record.state, record.message) == (S.QUEUED, "its window is closed")
    assert record.not_before == pytest.approx(time.time() + LATER, abs=60)
    assert claim(store) is None
    for _ in range(2):  # a sweep draws nothing nearer: it is no clock that jumped
        assert store.sweep() == []
    assert store.get(job).not_before == record.not_before
    open_now(store, job)
    assert [bell.job_id for bell in store.sweep()] == [job] and store.get(job).not_before is None
    assert claim(store).record.id == job


def test_when_the_next_window_opens_is_when_a_sweep_is_due(store):
    submit(store, 120.0)
    assert store.next_due() == pytest.approx(120, abs=5)


def test_a_claim_that_is_put_off_was_none(store):
    job = submit(store)
    claimed = claim(store)
    store.postpone(job, claimed.token, time.time() + LATER, "its window opens 22:00")
    record = store.get(job)
    assert (record.state, record.token, record.attempts, record.owner) == (S.QUEUED, 0, 0, None)
    assert store.attempts(job) == () and record.message == "its window opens 22:00"
    assert store.connection.redis.zcard(store.keys.leases) == 0
    with pytest.raises(RecordGone):  # its token was never given
        store.finish(job, claimed.token, Outcome(StopReason.COMPLETED, "", 9))


def test_a_yield_is_no_failure_and_its_wait_is_counted_apart(store):
    job = submit(store)
    first = claim(store)
    store.publish(job, first.token, 1, 5)
    told = Outcome(StopReason.YIELDED, "gave the machine back to its user: on battery", 5, 1)
    record = store.finish(job, first.token, told)
    assert (record.state, record.failures, record.yields, record.not_before) == (S.QUEUED, 0, 1, None)
    store.connection.redis.hincrbyfloat(store.keys.job(job), "yielded_at", -100)
    again = claim(store).record
    assert again.token == 2 and store.get(job).yielded_s == pytest.approx(100, abs=5)


def test_a_job_whose_window_closed_comes_back_first_when_it_opens(store):
    job = submit(store)
    first = claim(store)
    opens = time.time() + LATER
    record = store.finish(job, first.token, Outcome(StopReason.YIELDED, "", 5), opens=opens)
    assert record.state is S.QUEUED and record.not_before == pytest.approx(opens, abs=0.01)
    assert claim(store) is None
    other = submit(store)
    open_now(store, job)
    store.sweep()
    assert [claim(store).record.id for _ in range(2)] == [job, other]


def test_cancelled_or_paused_while_it_waits_for_its_window(store):
    job = submit(store, LATER)
    assert store.ask(job, "pause").state is S.PAUSED
    assert store.connection.redis.zcard(store.keys.opening) == 0
    assert store.resume(job).state is S.QUEUED and claim(store).record.id == job


def test_removed_it_is_gone_everywhere(store):
    job = submit(store, LATER)
    store.ask(job, "cancel")
    store.remove(job)
    assert store.connection.redis.zcard(store.keys.opening) == 0


def test_a_worker_that_yields_is_not_expected_to_take_a_better_job(yard):
    low = yard.runs(priority=3, worker="busy")
    idle = WorkerRecord(
        name="laptop", host="h", pid=1, classes=("cpu", "any"), device="d", version="0", since=1.0,
        root_id="r", yielding="on battery",
    )  # fmt: skip
    yard.store.announce_worker(idle, 600)
    assert [w.yielding for w in yard.store.workers() if w.name == "laptop"] == ["on battery"]
    yard.job(priority=9)
    yard.age(6)
    assert [asked.victim_id for asked in preempt(yard.store.connection, yard.settings)] == [low]
