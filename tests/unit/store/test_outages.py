"""Redis that was away, went back to older data or lost it; clocks that jump; two sweepers."""

import time
from dataclasses import replace

import pytest
from ulid import ULID

from srqueue.run.folder import CheckpointName
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.consequences import LONGEST_BACKOFF
from srqueue.store.record import LeaseLost, RecordGone

LEASE = 30


@pytest.fixture
def store(environment, valkey):
    from srqueue.store.store import Store

    store = Store.connect(environment(valkey, LEASE=str(LEASE), BACKOFF="5"))
    yield store
    store.connection.close()


@pytest.fixture
def submit(store):
    def submit(name="job"):
        return store.create(str(ULID()), spec={"a": 1}, origins={}, spec_id=name, name=name, total_iter=100)[
            0
        ].id

    return submit


@pytest.fixture
def claim(store):
    return lambda worker="w1": store.claim(worker, "host", ["any"], LEASE, {"root": "/runs"})


@pytest.fixture
def redis(store):
    return store.connection.redis


@pytest.fixture
def pass_time(store, redis):
    """As if so many seconds had passed since anything was done; below 0, as if the clock had gone back."""

    def pass_time(seconds):
        for name in ("leases", "delayed", "bells"):
            for member, score in redis.zrange(store.keys.root + name, 0, -1, withscores=True):
                redis.zadd(store.keys.root + name, {member: score - seconds})
        seen = redis.get(store.keys.root + "seen")
        if seen is not None:
            redis.set(store.keys.root + "seen", float(seen) - seconds)

    return pass_time


@pytest.fixture
def left(store, redis):
    """Seconds until the lease of a job ends."""
    return lambda job: redis.zscore(store.keys.leases, job) - time.time()


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


# Lost data.


def everything(store, redis):
    return {key: redis.dump(key) for key in redis.keys(store.keys.root + "*")}


@pytest.fixture
def raw(environment, valkey):
    """The same server, bytes."""
    import redis

    with redis.Redis.from_url(valkey.url) as client:
        yield client


@pytest.fixture
def went_back(store, raw):
    """Notes all of Redis; called, puts it back."""

    def note():
        noted = everything(store, raw)

        def put_back():
            raw.flushall()
            for key, value in noted.items():
                raw.restore(key, 0, value)

        return put_back

    return note


CHECKPOINT = CheckpointName(seq=4, iteration=40, token=3)


def told_again(store, claimed, newest=CHECKPOINT):
    record = replace(claimed.record, state=JobState.RUNNING, token=claimed.token)
    return store.restore(record, newest, by_owner=True)


@pytest.mark.parametrize("before", ["queued", "running", "paused", "cancelled", "failed", "held"])
def test_an_owner_with_a_higher_token_takes_an_older_record_over(
    store, submit, claim, went_back, redis, before
):
    job = submit()
    for _ in range(2):
        store.finish(job, claim().token, Outcome(StopReason.DRAINED, "", 0))
    if before == "running":
        claim("older")
        store.ask(job, "pause")
    elif before == "held":
        store.finish(job, claim().token, Outcome(StopReason.DISK_FULL, "", 0))
    elif before == "failed":
        store.finish(job, claim().token, Outcome(StopReason.DIVERGED, "", 0))
    elif before != "queued":
        store.ask(job, {"paused": "pause", "cancelled": "cancel"}[before])
    put_back = went_back()
    if before == "running":
        store.resume(job)
        store.finish(job, 3, Outcome(StopReason.DRAINED, "", 0))
    elif before in ("paused", "held"):
        store.resume(job)
    elif before != "queued":
        store.retry(job)
    owner = claim("owner")
    put_back()
    assert store.get(job).state == before
    for write in (
        lambda: store.renew(job, owner.token, LEASE), lambda: store.publish(job, owner.token, 4, 40),
        lambda: store.finish(job, owner.token, Outcome(StopReason.COMPLETED, "", 100)),
    ):  # fmt: skip
        with pytest.raises(RecordGone):
            write()
    assert told_again(store, owner) == "taken"
    record = store.get(job)
    assert (record.state, record.token, record.owner) == (JobState.RUNNING, owner.token, "owner")
    assert (record.wish, record.reason, record.message, record.finished) == (None, None, None, None)
    assert (record.seq, record.not_before) == (4, None)
    assert told_again(store, owner) == "known"
    assert store.renew(job, owner.token, LEASE) is None
    store.publish(job, owner.token, 5, 50)
    assert store.finish(job, owner.token, Outcome(StopReason.COMPLETED, "", 100)).state is JobState.SUCCEEDED
    assert redis.zcard(store.keys.leases) == redis.zcard(store.keys.delayed) == 0


def test_of_two_owners_the_higher_token_wins_for_good(store, submit, claim, went_back):
    job = submit()
    put_back = went_back()
    owners = []
    for _ in range(2):
        owners.append(claim())
        store.finish(job, owners[-1].token, Outcome(StopReason.DRAINED, "", 0))
    put_back()
    lower, higher = owners
    assert told_again(store, lower) == "taken"
    assert told_again(store, higher) == "taken"
    assert told_again(store, lower) == "known"
    with pytest.raises(LeaseLost):
        store.renew(job, lower.token, LEASE)
    assert store.renew(job, higher.token, LEASE) is None


@pytest.mark.parametrize("meanwhile", ["begun", "held"])
def test_of_two_owners_of_one_token_who_claimed_first_keeps_it(store, submit, claim, went_back, meanwhile):
    """The other one is on a machine that does not see the first one's run folder."""
    job = submit()
    put_back = went_back()
    first = claim("first")
    time.sleep(0.002)  # times are in milliseconds
    put_back()
    second = claim("second")
    assert second.token == first.token
    if meanwhile == "held":
        store.finish(job, second.token, Outcome(StopReason.DATA_MISSING, "", 0))
    with pytest.raises(RecordGone):
        store.renew(job, first.token, LEASE, first.record.claimed)
    assert told_again(store, first) == "taken"
    assert store.renew(job, first.token, LEASE, first.record.claimed) is None
    assert (store.get(job).owner, store.get(job).state) == ("first", JobState.RUNNING)
    assert told_again(store, second) == "known"
    with pytest.raises(LeaseLost):
        store.renew(job, second.token, LEASE, second.record.claimed)


def test_a_record_that_is_gone_is_made_again_and_can_be_found(store, submit, claim, redis):
    job = submit()
    owner = claim()
    before = store.get(job)
    redis.flushall()
    with pytest.raises(RecordGone):
        store.renew(job, owner.token, LEASE)
    assert told_again(store, owner, None) == "made"
    after = store.get(job)
    assert replace(after, updated=0, root_id=None, run_dir=None) == replace(before, updated=0)
    assert (
        [r.id for r in store.list(["running"])]
        == [store.resolve("job")]
        == [store.resolve(job[-5:])]
        == [job]
    )
    again = store.create(str(ULID()), spec={}, origins={}, spec_id="job", name="x", total_iter=1)
    assert (again[0].id, again[1]) == (job, False)
    assert store.renew(job, owner.token, LEASE) is None
    assert store.finish(job, owner.token, Outcome(StopReason.COMPLETED, "", 100)).state is JobState.SUCCEEDED
    store.remove(job)
    assert redis.zcard(store.keys.suffixes) == redis.zcard(store.keys.names) == 0


def test_an_attempt_that_had_ended_does_not_run_again_where_its_job_is_recovered(store, submit, claim, redis):
    job = submit()
    owner = claim()
    ended = replace(owner.record, state=JobState.QUEUED, owner=None, reason=StopReason.DRAINED)
    redis.flushall()
    assert store.restore(ended, CHECKPOINT) == "made"
    with pytest.raises(LeaseLost):
        store.renew(job, owner.token, LEASE)
    with pytest.raises(LeaseLost):
        store.finish(job, owner.token, Outcome(StopReason.COMPLETED, "", 100))
    assert (store.get(job).state, claim().token) == (JobState.QUEUED, owner.token + 1)


def test_a_claim_that_meets_a_forgotten_attempt_is_undone_once(store, submit, claim, redis, pass_time):
    job = submit()
    token = claim().token
    assert store.defer(job, token, 7)
    record = store.get(job)
    assert (record.state, record.token, record.attempts, record.owner) == (JobState.QUEUED, 0, 0, None)
    assert LEASE - 5 < record.not_before - time.time() < LEASE + 0.1
    assert claim() is None
    pass_time(LEASE)
    store.sweep()
    second = claim()
    assert second.token == 1 and not store.defer(job, 1, 7)
    assert store.get(job).state is JobState.RUNNING


@pytest.mark.parametrize("token", [1, 2])  # 1: it was given away once more
def test_the_owner_of_a_forgotten_attempt_takes_the_deferred_job_back(store, submit, claim, went_back, token):
    job = submit()
    put_back = went_back()
    for _ in range(token - 1):
        store.finish(job, claim().token, Outcome(StopReason.DRAINED, "", 0))
    owner = claim("owner")
    put_back()
    other = claim("other")
    assert other.token == 1
    store.defer(job, 1, token)
    assert told_again(store, owner) == "taken"
    assert store.get(job).owner == "owner"
    assert claim() is None


def test_lines_that_redis_has_or_has_forgotten_are_asked_for_from_the_right_byte(
    store, submit, claim, went_back
):
    job = submit()
    token = claim().token
    assert store.append_events(job, token, ["a", "b"], (0, 20)) is None
    put_back = went_back()
    assert store.append_events(job, token, ["c"], (20, 30)) is None
    assert store.append_events(job, token, ["c"], (20, 30)) == 30  # its answer was lost
    put_back()
    assert store.append_events(job, token, ["d"], (30, 40)) == 20
    assert store.append_events(job, token, ["c", "d"], (20, 40)) is None
    assert [line for _, line in store.events(job)] == ["a", "b", "c", "d"]
    store.finish(job, token, Outcome(StopReason.DRAINED, "", 0))
    assert store.append_events(job, claim().token, ["e"], (0, 10)) is None


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
