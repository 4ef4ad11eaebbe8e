"""Attempts: leases, what follows from their end, sweeps, events, workers."""

import time
from dataclasses import replace
from importlib.resources import files

import pytest
from ulid import ULID

from srqueue.run.outcome import Outcome
from srqueue.run.reasons import CONSEQUENCES, FAILURES_IN_A_ROW, JobState, Requeue, StopReason
from srqueue.store.campaigns import Campaigns, StoredCell
from srqueue.store.consequences import LONGEST_BACKOFF, LOOK_AGAIN
from srqueue.store.record import LeaseLost, RecordGone, WorkerRecord
from srqueue.store.scripts import script


@pytest.fixture
def job(store):
    record, _ = store.create(str(ULID()), spec={}, origins={}, spec_id="s", name="job", total_iter=100)
    return record.id


@pytest.fixture
def claim(store):
    return lambda: store.claim("w1", "host", ["any"], 30, {"root": "/runs"})


@pytest.fixture
def run_out(store):
    """The lease of a job runs out and a sweeper sees it."""

    def run_out(job):
        store.connection.redis.set(f"{store.keys.root}seen", time.time())  # however slow this machine is
        store.connection.redis.zadd(f"{store.keys.root}leases", {job: 0}, xx=True)
        return store.sweep()

    return run_out


@pytest.fixture
def time_passes(store):
    def time_passes():
        key = f"{store.keys.root}delayed"
        for job in store.connection.redis.zrange(key, 0, -1):
            store.connection.redis.zadd(key, {job: 0})
        return store.sweep()

    return time_passes


def _searched(store, job, until):
    """As a cell of a search that goes on."""
    store.connection.redis.hset(store.keys.job(job), mapping={"until": until, "campaigns": "night"})
    campaigns = Campaigns(store.connection)
    campaigns.begin("night", {"stages": {"a": {"search": {"method": "asha", "rungs": [until]}}}}, "")
    campaigns.put_cells("night", [StoredCell(job, "a", {})])


@pytest.mark.parametrize("reason", StopReason)
def test_what_follows_is_what_the_table_says(store, job, claim, reason):
    row = CONSEQUENCES[reason]
    token = claim().token
    if reason is StopReason.PAUSED:
        store.ask(job, "pause")
    if reason is StopReason.RUNG:
        _searched(store, job, 40)
    record = store.finish(job, token, Outcome(reason, "", 40, seq=3, metrics={"best/psnr": 30.5}))
    assert (record.state, record.reason, record.message) == (row.next_state, reason, row.text)
    assert (record.iteration, record.seq, record.metrics) == (40, 3, {"best/psnr": 30.5})
    # It had got on: a failure waits only where it had not.
    assert (claim() is not None) == (row.requeue in (Requeue.FRONT, Requeue.BACKOFF))
    if row.requeue is Requeue.LATER:
        assert LOOK_AGAIN - 5 < record.not_before - time.time() <= LOOK_AGAIN + 1


def test_three_bad_ends_in_a_row_without_a_checkpoint_fail_the_job(store, job, claim, time_passes):
    for n in range(1, FAILURES_IN_A_ROW + 1):
        record = store.finish(job, claim().token, Outcome(StopReason.CRASHED, f"boom {n}", 0))
        last = n == FAILURES_IN_A_ROW
        assert (record.state, record.failures) == (JobState.FAILED if last else JobState.QUEUED, n)
        time_passes()
    assert record.reason is StopReason.NO_PROGRESS and "boom 3" in record.message
    assert claim() is None
    assert store.retry(job).failures == 0 and claim() is not None


def test_an_owner_that_lives_takes_back_a_job_that_its_third_lapse_failed(
    store, job, claim, run_out, time_passes
):
    for _ in range(FAILURES_IN_A_ROW - 1):
        store.finish(job, claim().token, Outcome(StopReason.CRASHED, "", 0))
        time_passes()
    token = claim().token
    run_out(job)
    failed = store.get(job)
    assert (failed.state, failed.reason) == (JobState.FAILED, StopReason.NO_PROGRESS)
    store.renew(job, token, 30)
    record = store.get(job)
    assert (record.state, record.finished, record.failures) == (JobState.RUNNING, None, FAILURES_IN_A_ROW - 1)
    assert store.finish(job, token, Outcome(StopReason.COMPLETED, "", 100)).state is JobState.SUCCEEDED


def test_a_new_checkpoint_begins_the_count_anew(store, job, claim, time_passes):
    for n in range(3 * FAILURES_IN_A_ROW):
        token = claim().token
        if n % 2:
            store.publish(job, token, n, 10 * n)
        record = store.finish(job, token, Outcome(StopReason.CRASHED, "", 10 * n))
        assert record.state is JobState.QUEUED and record.failures == (n + 1) % 2
        time_passes()


def test_a_checkpoint_of_the_outcome_counts_too(store, job, claim):
    record = store.finish(job, claim().token, Outcome(StopReason.CRASHED, "", 10, seq=1))
    assert record.failures == 0


def test_the_wait_before_a_retry_grows_and_is_bounded(environment, valkey):
    from srqueue.store.store import Store

    store = Store.connect(environment(valkey, BACKOFF="100"))
    job = store.create(str(ULID()), spec={}, origins={}, spec_id="s", name="j", total_iter=1)[0].id
    waits = []
    for _ in range(2):
        token = store.claim("w", "h", ["any"], 9, {"r": "/r"}).token
        record = store.finish(job, token, Outcome(StopReason.CRASHED, "", 0))
        assert store.claim("w", "h", ["any"], 9, {"r": "/r"}) is None
        waits.append(record.not_before - record.updated)
        store.connection.redis.zadd(f"{store.keys.root}delayed", {job: 0})
        store.sweep()
    assert 49 <= waits[0] <= 101 and 99 <= waits[1] <= 201 and waits[1] < LONGEST_BACKOFF


def test_a_lease_that_ran_out_goes_to_another_worker(store, job, claim, run_out, time_passes):
    old = claim()
    run_out(job)
    record = store.get(job)
    assert (record.state, record.reason, record.failures) == (JobState.QUEUED, StopReason.WORKER_LOST, 1)
    assert [bell.job_id for bell in time_passes()] == [job]
    new = claim()
    assert new.token == old.token + 1
    with pytest.raises(LeaseLost):
        store.renew(job, old.token, 30)
    with pytest.raises(LeaseLost):
        store.finish(job, old.token, Outcome(StopReason.COMPLETED, "", 100))
    assert store.get(job).state is JobState.RUNNING


@pytest.mark.parametrize("ready_again", [False, True])
def test_a_lease_that_only_ran_out_is_taken_back(store, job, claim, run_out, time_passes, ready_again):
    held = claim()
    run_out(job)
    if ready_again:
        time_passes()
    assert store.renew(job, held.token, 30) is None
    record = store.get(job)
    assert (record.state, record.failures, record.reason, record.owner) == (JobState.RUNNING, 0, None, "w1")
    assert claim() is None
    store.publish(job, held.token, 1, 10)


def test_a_result_counts_where_the_lease_only_ran_out(store, job, claim, run_out):
    held = claim()
    run_out(job)
    assert store.finish(job, held.token, Outcome(StopReason.COMPLETED, "", 100)).state is JobState.SUCCEEDED


def test_a_lease_is_not_taken_back_from_a_user_who_paused_meanwhile(store, job, claim, run_out):
    held = claim()
    run_out(job)
    store.ask(job, "pause")
    store.resume(job)
    with pytest.raises(LeaseLost):
        store.renew(job, held.token, 30)


def test_an_end_that_is_told_twice_counts_once(store, job, claim):
    token = claim().token
    first = store.finish(job, token, Outcome(StopReason.CRASHED, "boom", 5))
    assert store.finish(job, token, Outcome(StopReason.CRASHED, "boom", 5)) == first
    store.resume(job)
    claim()
    told = store.finish(job, token, Outcome(StopReason.CRASHED, "boom", 5))
    assert (told.state, told.token, told.failures) == (JobState.RUNNING, token + 1, 0)


@pytest.mark.parametrize(("wish", "state"), [("pause", JobState.PAUSED), ("cancel", JobState.CANCELLED)])
@pytest.mark.parametrize("how", ["drained", "crashed", "lost"])
def test_a_wish_outlives_the_worker_that_did_not_fulfil_it(store, job, claim, run_out, wish, state, how):
    token = claim().token
    assert store.ask(job, wish).wish == wish
    assert store.renew(job, token, 30) == wish
    if how == "lost":
        run_out(job)
    else:
        store.finish(job, token, Outcome(StopReason(how), "", 5))
    record = store.get(job)
    assert (record.state, record.wish) == (state, None)
    assert claim() is None


def test_a_pause_that_is_taken_back_in_time_lets_the_job_go_on(store, job, claim):
    token = claim().token
    store.ask(job, "pause")
    store.resume(job)
    assert store.renew(job, token, 30) is None
    # The trainer had stopped already.
    assert store.finish(job, token, Outcome(StopReason.PAUSED, "", 5)).state is JobState.QUEUED
    assert claim() is not None


def test_a_cancel_is_not_softened_to_a_pause(store, job, claim):
    token = claim().token
    store.ask(job, "cancel")
    with pytest.raises(Exception, match="being cancelled"):
        store.ask(job, "pause")
    assert store.finish(job, token, Outcome(StopReason.PAUSED, "", 5)).state is JobState.CANCELLED


def test_a_published_seq_never_falls_within_an_attempt(store, job, claim):
    token = claim().token
    for seq in (3, 2, 5, 5):
        store.publish(job, token, seq, 10)
    assert store.get(job).seq == 5


def test_an_attempt_that_fell_back_to_an_earlier_checkpoint_publishes_its_own(store, job, claim, time_passes):
    token = claim().token
    store.publish(job, token, 5, 50)
    store.finish(job, token, Outcome(StopReason.CRASHED, "", 55))
    time_passes()
    token = claim().token
    for seq, iteration in ((4, 40), (5, 50)):
        store.publish(job, token, seq, iteration)
        assert store.get(job).seq == seq
    # The same seq as at the claim, and progress all the same.
    assert store.finish(job, token, Outcome(StopReason.CRASHED, "", 50, seq=5)).failures == 0


@pytest.mark.parametrize("how", ["crashed", "disk_full", "lost"])
def test_iterations_that_no_checkpoint_holds_are_not_kept(store, job, claim, run_out, how):
    token = claim().token
    store.publish(job, token, 1, 30)
    store.set_progress(job, token, 47, {"loss": 0.1})
    if how == "lost":
        run_out(job)
    else:
        store.finish(job, token, Outcome(StopReason(how), "", 47))
    assert store.get(job).iteration == 30


@pytest.mark.parametrize("how", ["drained", "paused", "crashed", "disk_full", "lost"])
def test_a_cancel_that_was_not_fulfilled_goes_to_another_worker(store, job, claim, run_out, how):
    token = claim().token
    store.publish(job, token, 1, 30)
    store.ask(job, "cancel")
    if how == "lost":
        run_out(job)
    else:
        store.finish(job, token, Outcome(StopReason(how), "", 30))
    left = store.get(job)
    assert (left.state, left.wish, left.reason != "cancelled") == (JobState.QUEUED, "cancel", True)
    assert left.message == "to be cancelled: a worker exports its best weights"
    assert claim().record.wish == "cancel"


@pytest.mark.parametrize(
    ("reason", "attempts"), [("data_missing", 1), ("root_missing", 1), ("disk_full", 1), ("crashed", 3)]
)
def test_a_cancel_that_cannot_export_ends_all_the_same(store, job, claim, reason, attempts):
    token = claim().token
    store.publish(job, token, 1, 30)
    store.ask(job, "pause")
    store.finish(job, token, Outcome(StopReason.PAUSED, "", 30))
    store.ask(job, "cancel")
    for _ in range(attempts):
        assert store.get(job).state is JobState.QUEUED
        record = store.finish(job, claim().token, Outcome(StopReason(reason), "why", 30))
    assert (record.state, record.reason) == (JobState.CANCELLED, StopReason(reason))
    assert record.message == "cancelled; its best weights were not exported: why"


def test_the_owner_of_a_lease_that_ran_out_still_fulfils_the_cancel(store, job, claim, run_out):
    held = claim()
    store.publish(job, held.token, 1, 30)
    run_out(job)
    assert store.ask(job, "cancel").wish == "cancel"
    assert store.renew(job, held.token, 30) == "cancel"
    assert store.finish(job, held.token, Outcome(StopReason.CANCELLED, "", 31)).state is JobState.CANCELLED


def test_a_pause_that_could_not_save_says_so(store, job, claim):
    token = claim().token
    store.ask(job, "pause")
    record = store.finish(job, token, Outcome(StopReason.DISK_FULL, "no room", 30))
    assert (record.state, record.reason, record.message) == (
        JobState.PAUSED,
        StopReason.DISK_FULL,
        "paused; no room",
    )


def test_a_token_is_raised_above_what_the_disk_has_seen(store, job, claim):
    token = claim().token
    assert store.raise_token(job, token, 17) == 17
    with pytest.raises(LeaseLost):
        store.renew(job, token, 30)
    assert store.renew(job, 17, 30) is None
    assert store.raise_token(job, token, 17) == 17  # its answer was lost
    store.finish(job, 17, Outcome(StopReason.DRAINED, "", 1))
    assert claim().token == 18


def test_lost_data_is_not_a_lost_lease(store, job, claim):
    token = claim().token
    store.connection.redis.flushall()
    with pytest.raises(RecordGone):
        store.renew(job, token, 30)


def test_a_ready_job_is_rung_for_once_in_a_while(store, job):
    key = f"{store.keys.root}bells"
    assert store.sweep() == []  # whoever made it ready rings himself
    store.connection.redis.zadd(key, {job: 0})
    assert [bell.job_id for bell in store.sweep()] == [job]
    assert store.sweep() == []


def test_events_are_read_in_order_from_where_one_was(store, job, claim):
    token = claim().token
    store.append_events(job, token, ["a", "b"])
    (first, _), (second, _) = store.events(job)
    assert [line for _, line in store.events(job, after=first)] == ["b"]
    assert store.events(job, after=second, block_ms=1) == ()


def test_workers_are_known_while_they_announce_themselves(store, wait_until):
    worker = WorkerRecord(
        name="w@h", host="h", pid=7, classes=("cuda", "any"), device="H200", version="0.1", since=12.5
    )
    store.announce_worker(worker, 60)
    assert store.workers() == (worker,)
    busy = replace(worker, load={"cpu": 12.5, "memory_mib": [1, 2], "gpus": []})
    store.announce_worker(busy, 60)
    assert store.workers() == (busy,)
    store.announce_worker(replace(worker, name="silent@h"), 0.05)
    store.announce_worker(worker, 0)
    wait_until(lambda: store.workers() == (), "the other's announcement runs out")
    assert store.left_workers() == ("w@h",)
    store.announce_worker(worker, 60)
    assert store.left_workers() == ()


SHARED = ("prelude.lua", "lots.lua", "quotas.lua", "epilogue.lua")
SCRIPTS = sorted(f.name[:-4] for f in (files("srqueue.store") / "lua").iterdir() if f.name not in SHARED)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_opens_with_its_name_and_keys(name):
    own = script(name).removeprefix(script(name)[: script(name).rindex(f"-- {name}:")])
    head = own.split("\nlocal ")[0]
    assert head.startswith(f"-- {name}:")
    assert any(word in head for word in ("-- writes ", "-- reads ", "-- deletes "))
    assert "-- ARGV: " in head
