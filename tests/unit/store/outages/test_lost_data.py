"""Redis has lost its data, or went back to older data: who knows better tells it again."""

import time
from dataclasses import replace

import pytest
from ulid import ULID

from srqueue.run.folder import CheckpointName
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.record import LeaseLost, RecordGone

LEASE = 30


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
