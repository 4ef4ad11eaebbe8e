"""Redis that was away, went back to older data or lost it; clocks that jump; two sweepers."""

import time

import pytest

from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.consequences import LONGEST_BACKOFF

LEASE = 30

# Who was cut off.


def test_after_an_outage_for_all_every_owner_has_a_whole_lease_to_renew(
    store, submit, claim, pass_time, left
):
    first, second = submit("a"), submit("b")
    tokens = {c.record.id: c.token for c in (claim("w1"), claim("w2"))}
    pass_time(10 * LEASE)
    store.renew(first, tokens[first], LEASE)  # who is back first does not take the others' chance
    assert store.sweep() == []
    assert {store.get(job).state for job in (first, second)} == {JobState.RUNNING}
    assert LEASE - 5 < left(second) < LEASE + 0.1
    pass_time(LEASE / 2 - 3)
    store.renew(second, tokens[second], LEASE)
    assert left(second) > LEASE - 5


def test_who_does_not_come_back_after_an_outage_is_given_up_one_lease_later(store, submit, claim, pass_time):
    job = submit()
    claim()
    pass_time(10 * LEASE)
    for _ in range(4):
        store.sweep()
        assert store.get(job).state is JobState.RUNNING
        pass_time(LEASE / 4 + 0.1)
    store.sweep()
    assert (store.get(job).state, store.get(job).reason) == (JobState.QUEUED, StopReason.WORKER_LOST)


def test_where_only_one_worker_is_cut_off_its_lease_ends_in_time(store, submit, claim, pass_time):
    cut_off, healthy = submit("a"), submit("b")
    tokens = {c.record.id: c.token for c in (claim("w1"), claim("w2"))}
    for _ in range(5):
        store.renew(healthy, tokens[healthy], LEASE)
        store.sweep()
        assert store.get(cut_off).state is JobState.RUNNING
        pass_time(LEASE / 5 + 0.1)
    store.sweep()
    assert (store.get(cut_off).state, store.get(healthy).state) == (JobState.QUEUED, JobState.RUNNING)


@pytest.mark.parametrize("away", [0, LEASE / 3])
def test_a_sweeper_that_has_just_started_takes_over_in_time(store, submit, claim, pass_time, away):
    """One machine: its worker was killed, and is started again after `away` seconds."""
    job = submit()
    claim()
    pass_time(away)
    while (due := store.next_due()) > 0:
        store.sweep()
        assert store.get(job).state is JobState.RUNNING
        pass_time(step := min(due, LEASE / 4))
        away += step
    assert LEASE - 0.5 < away <= LEASE + 0.1
    store.sweep()
    assert store.get(job).state is JobState.QUEUED


@pytest.mark.parametrize(("away", "remains"), [(0.45, 0.55), (0.55, 1.0), (5.0, 1.0)])
def test_after_an_outage_a_live_owner_has_half_a_lease_or_more(
    store, submit, claim, pass_time, left, away, remains
):
    job = submit()
    claim()
    pass_time(away * LEASE)
    store.sweep()
    assert store.get(job).state is JobState.RUNNING
    assert left(job) == pytest.approx(remains * LEASE, abs=2)


def test_a_lost_worker_that_had_got_on_is_followed_at_once(store, submit, claim, pass_time):
    job = submit()
    store.publish(job, claim().token, 1, 10)
    rung = []
    for _ in range(4):
        pass_time(LEASE / 4 + 0.1)
        rung += store.sweep()
    record = store.get(job)
    assert record.state is JobState.QUEUED and record.not_before is None
    assert [bell.job_id for bell in rung] == [job]


def test_the_sweeper_is_told_what_is_due_next(store, submit, claim, redis):
    assert store.next_due() == float("inf")
    job = submit()
    claim()
    assert LEASE - 5 < store.next_due() < LEASE + 0.1
    redis.zadd(store.keys.leases, {job: 0})
    assert store.next_due() == 0
    store.sweep()
    assert 0 < store.next_due() <= 5


# Clocks.


def test_a_clock_that_goes_back_lets_nothing_wait_for_it(store, submit, claim, pass_time, left, redis):
    running, failed, ready = submit("a"), submit("b"), submit("c")
    claims = {c.record.id: c.token for c in (claim(), claim())}
    store.finish(failed, claims[failed], Outcome(StopReason.CRASHED, "", 0))
    pass_time(-3600)
    rung = {bell.job_id for bell in store.sweep()}
    assert rung == {ready}
    assert left(running) < LEASE + 0.1
    assert store.get(failed).not_before - time.time() < LONGEST_BACKOFF + 0.1
    assert store.next_due() < LEASE + 0.1
    assert redis.zscore(store.keys.delayed, failed) == pytest.approx(store.get(failed).not_before, abs=0.01)


def test_a_clock_that_jumps_forward_ends_no_lease(store, submit, claim, pass_time, left):
    job = submit()
    token = claim().token
    pass_time(3600)
    store.sweep()
    assert store.get(job).state is JobState.RUNNING and left(job) > LEASE - 5
    assert store.renew(job, token, LEASE) is None


def test_a_lease_that_is_longer_than_the_sweepers_is_not_cut(store, submit, left):
    job = submit()
    store.claim("w", "host", ["any"], 20 * LEASE, {"root": "/runs"})
    store.sweep()
    assert left(job) > 19 * LEASE


# Many sweepers.


def test_many_sweeps_at_once_end_a_lease_once(store, submit, claim, redis, pass_time):
    from concurrent.futures import ThreadPoolExecutor

    job = submit()
    claim()
    redis.zadd(store.keys.leases, {job: 0})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.sweep(), range(40)))
    record = store.get(job)
    assert (record.state, record.failures, record.attempts) == (JobState.QUEUED, 1, 1)
    pass_time(5)
    with ThreadPoolExecutor(8) as pool:
        rung = [bell for bells in pool.map(lambda _: store.sweep(), range(40)) for bell in bells]
    assert [bell.job_id for bell in rung] == [job]
