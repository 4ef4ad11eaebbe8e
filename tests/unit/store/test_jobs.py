"""Job records: creating, finding, listing, and what users may do with them."""

import pytest
from ulid import ULID

from srqueue.errors import ServiceUnreachable, UsageError
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.settings import Settings
from srqueue.store.record import LeaseLost
from srqueue.store.store import Store

ROOTS = {"root": "/runs"}


@pytest.fixture
def create(store):
    def create(name="job", spec_id=None, job_id=None, **more):
        job_id = job_id or str(ULID())
        record, _ = store.create(
            job_id, spec={"a": 1}, origins={"a": "flag"}, spec_id=spec_id or job_id, name=name,
            total_iter=100, **more,
        )  # fmt: skip
        return record

    return create


@pytest.fixture
def claim(store):
    def claim(worker="w1", classes=("cpu", "any"), roots=ROOTS):
        return store.claim(worker, "host", classes, 30, roots)

    return claim


def test_a_created_job_is_read_back_whole(store, create):
    record = create("paris", priority=7, device_class="cuda")
    assert store.get(record.id) == record
    assert (record.state, record.name, record.spec, record.origins) == (
        JobState.QUEUED,
        "paris",
        {"a": 1},
        {"a": "flag"},
    )
    assert (record.priority, record.device_class, record.total_iter, record.token) == (7, "cuda", 100, 0)
    assert record.started is record.finished is record.owner is record.reason is None


def test_the_same_spec_is_not_queued_twice_unless_asked_for(store, create):
    first = create(spec_id="s")
    for again, new in ((False, False), (True, True)):
        record, created = store.create(
            str(ULID()), spec={}, origins={}, spec_id="s", name="x", total_iter=1, again=again
        )
        assert created == new and (record.id != first.id) == new


def test_a_failed_or_cancelled_spec_can_be_queued_anew(store, create):
    first = create(spec_id="s")
    store.ask(first.id, "cancel")
    assert create(spec_id="s").id != first.id


def test_the_best_ready_job_is_claimed_first(create, claim, store):
    old, urgent, cuda = create(), create(priority=9), create(priority=9, device_class="cuda")
    assert claim().record.id == urgent.id
    store.set_priority(old.id, 3)
    newer = create(priority=4)
    assert [claim().record.id, claim().record.id] == [newer.id, old.id]
    assert claim() is None
    assert claim(classes=("cuda",)).record.id == cuda.id


def test_a_handed_back_job_stands_at_the_front_of_its_priority(create, claim, store):
    create()
    second = create(priority=6)
    held = claim()
    assert held.record.id == second.id
    store.set_priority(second.id, 5)
    store.finish(second.id, held.token, Outcome(StopReason.DRAINED, "", 1))
    assert claim().record.id == second.id


def test_a_job_with_a_run_folder_goes_only_where_its_root_is(create, claim, store):
    job = create()
    held = claim(roots={"a": "/here"})
    assert held.record.run_dir == f"/here/{job.id}"
    store.bind(job.id, held.token, "a", held.record.run_dir)
    store.finish(job.id, held.token, Outcome(StopReason.DRAINED, "", 1))
    assert claim(roots={"b": "/there"}) is None
    assert claim(roots={"b": "/there", "a": "/mounted"}).record.run_dir == f"/mounted/{job.id}"


def test_a_job_whose_run_folder_was_never_made_goes_anywhere(create, claim, store):
    job = create()
    held = claim(roots={"a": "/here"})
    record = store.finish(job.id, held.token, Outcome(StopReason.DATA_MISSING, "", 0))
    assert record.root_id is record.run_dir is None
    store.resume(job.id)
    assert claim(roots={"b": "/there"}).record.run_dir == f"/there/{job.id}"


def test_a_claim_whose_answer_was_lost_is_given_the_same_job_again(create, store):
    first, second = create(), create()
    how = ("w", "host", ["any"], 30, ROOTS)
    lost = store.claim(*how, "claim-1")
    assert store.claim(*how, "claim-1") == lost and lost.record.id == first.id
    assert (store.get(first.id).attempts, store.get(second.id).state) == (1, JobState.QUEUED)
    assert store.claim(*how, "claim-2").record.id == second.id


@pytest.fixture
def saved(store, create, claim):
    """A job with a checkpoint that does not run."""

    def saved(state, **more):
        job = create(**more)
        token = claim().token
        store.publish(job.id, token, 3, 30)
        reason = {"paused": "paused", "held": "disk_full", "queued": "drained"}[state]
        if state == "paused":
            store.ask(job.id, "pause")
        assert store.finish(job.id, token, Outcome(StopReason(reason), "", 30)).state == state
        return job.id

    return saved


@pytest.mark.parametrize("state", ["paused", "held", "queued"])
def test_a_job_with_a_checkpoint_is_cancelled_by_a_worker_that_exports(store, create, claim, saved, state):
    job = saved(state, priority=0)
    create(priority=9)
    asked = store.ask(job, "cancel")
    assert (asked.state, asked.wish, asked.reason) == (JobState.QUEUED, "cancel", None)
    assert asked.message == "to be cancelled: a worker exports its best weights"
    held = claim()
    assert (held.record.id, held.record.wish) == (job, "cancel")
    assert store.renew(job, held.token, 30) == "cancel"
    done = store.finish(job, held.token, Outcome(StopReason.CANCELLED, "", 30))
    assert (done.state, done.wish) == (JobState.CANCELLED, None)


def test_cancelled_twice_a_job_ends_at_once(store, saved, claim):
    job = saved("paused")
    store.ask(job, "cancel")
    done = store.ask(job, "cancel")
    assert (done.state, done.wish, done.message) == (JobState.CANCELLED, None, "cancelled")
    assert claim() is None


def test_a_job_that_waits_to_be_cancelled_can_be_kept_but_not_paused(store, saved, claim):
    job = saved("paused")
    store.ask(job, "cancel")
    with pytest.raises(UsageError, match="being cancelled"):
        store.ask(job, "pause")
    assert store.resume(job).wish is None
    assert claim().record.wish is None


def test_a_spec_that_is_being_cancelled_can_be_queued_anew(store, create, saved):
    job = saved("paused", spec_id="s")
    store.ask(job, "cancel")
    assert create(spec_id="s").id != job


@pytest.mark.parametrize(("verb", "text"), [("pause", "paused"), ("cancel", "cancelled")])
def test_the_message_tells_of_the_newest_verb(store, create, claim, verb, text):
    job = create()
    store.finish(job.id, claim().token, Outcome(StopReason.DRAINED, "", 0))
    assert store.ask(job.id, verb).message == text


@pytest.mark.parametrize("verb", ["resume", "retry"])
def test_a_job_that_waits_after_a_failure_can_be_started_now(store, create, claim, verb):
    job = create()
    store.finish(job.id, claim().token, Outcome(StopReason.CRASHED, "boom", 0))
    assert claim() is None
    record = getattr(store, verb)(job.id)
    assert (record.not_before, record.failures, record.message) == (None, 0, None)
    assert claim().record.id == job.id


def test_lists_are_newest_first_and_in_pages(store, create):
    ids = [create(f"j{n}").id for n in range(7)]
    for job in ids[::2]:
        store.ask(job, "pause")
    assert [r.id for r in store.list()] == ids[::-1]
    assert [r.id for r in store.list(limit=3, offset=2)] == ids[::-1][2:5]
    assert [r.id for r in store.list(["paused"])] == ids[::2][::-1]
    assert [r.id for r in store.list(["paused", "queued"], limit=4)] == ids[::-1][:4]
    assert store.count_by_state()[JobState.PAUSED] == 4
    with pytest.raises(UsageError, match="no state 'pausd'"):
        store.list(["pausd"])


def test_listing_reads_no_record_that_it_does_not_show(store, create):
    for n in range(30):
        create(f"j{n}")
    redis = store.connection.redis
    before = redis.info("commandstats").get("cmdstat_hgetall", {}).get("calls", 0)
    store.list(limit=5)
    assert redis.info("commandstats")["cmdstat_hgetall"]["calls"] - before == 5


def test_a_job_is_found_by_id_end_of_id_and_name(store, create):
    one = create("alpha", job_id="01ARZ3NDEKTSV4RRFFQ69GAAAA")
    two = create("beta", job_id="01ARZ3NDEKTSV4RRFFQ69GBAAA")
    create("beta", job_id="01ARZ3NDEKTSV4RRFFQ69GCCCC")
    assert store.resolve(one.id) == store.resolve(one.id.lower()) == store.resolve("alpha") == one.id
    assert store.resolve("gbaaa") == store.resolve("BAAA") == two.id
    with pytest.raises(UsageError, match="more than one job"):
        store.resolve("beta")
    for unknown in ("aaa", "zzzz", "alpah", "../x", "", "[", "\x00abc"):
        with pytest.raises(UsageError, match="there is no job"):
            store.resolve(unknown)
    with pytest.raises(UsageError) as error:
        store.resolve("alpah")
    assert "alpha" in (error.value.hint or "")


def test_an_ambiguous_end_is_refused(store, create):
    create(job_id="01ARZ3NDEKTSV4RRFFQ69GAAAA")
    create(job_id="01ARZ3NDEKTSV4RRFFQ69BAAAA")
    with pytest.raises(UsageError, match="more than one job"):
        store.resolve("aaaa")


def test_a_removed_job_leaves_nothing_behind(store, create):
    job = create("gone")
    store.ask(job.id, "cancel")
    store.remove(job.id)
    # What is left says that it was removed, and by whom.
    assert set(store.connection.redis.keys("*")) == {store.keys.audit, store.keys.schema}


@pytest.mark.parametrize(
    ("verb", "state", "hint"),
    [
        ("pause", JobState.CANCELLED, "retry"),
        ("resume", JobState.QUEUED, "pause"),
        ("retry", JobState.PAUSED, "resume"),
        ("cancel", JobState.SUCCEEDED, "--again"),
        ("remove", JobState.RUNNING, "cancel"),
    ],
)
def test_a_verb_that_does_not_fit_the_state_says_what_does(store, create, claim, verb, state, hint):
    job = create()
    if state in (JobState.RUNNING, JobState.SUCCEEDED):
        token = claim().token
        if state is JobState.SUCCEEDED:
            store.finish(job.id, token, Outcome(StopReason.COMPLETED, "", 100))
    elif state is not JobState.QUEUED:
        store.ask(job.id, "pause" if state is JobState.PAUSED else "cancel")
    before = store.get(job.id)
    assert before.state is state
    act = {"remove": store.remove, "resume": store.resume, "retry": store.retry}.get(
        verb, lambda job_id: store.ask(job_id, verb)
    )
    with pytest.raises(UsageError) as error:
        act(job.id)
    assert state in error.value.message and hint in (error.value.hint or "")
    assert store.get(job.id) == before


@pytest.mark.parametrize("priority", [-1, 10])
def test_a_priority_out_of_range_is_refused_before_anything_is_written(store, create, priority):
    with pytest.raises(UsageError, match="not between 0 and 9"):
        create(priority=priority)
    assert store.list() == ()


def test_an_unknown_id_is_a_usage_error_for_every_verb(store):
    for verb in (store.get, store.resume, store.retry, store.remove, lambda i: store.ask(i, "pause")):
        with pytest.raises(UsageError, match="there is no job"):
            verb("01ARZ3NDEKTSV4RRFFQ69GAAAA")


def test_a_server_that_is_not_there_says_what_to_start(tmp_path):
    with pytest.raises(ServiceUnreachable) as error:
        Store.connect(Settings(home=tmp_path))
    assert error.value.exit_code == 3 and error.value.hint == "start it: srqueue up"


def test_a_password_is_never_shown():
    with pytest.raises(ServiceUnreachable) as error:
        Store.connect(Settings(redis_url="redis://user:canary@127.0.0.1:1/0"))
    assert "canary" not in str(error.value) and "***" in str(error.value)


def test_a_stale_token_writes_nothing(store, create, claim):
    job = create()
    old = claim()
    store.finish(job.id, old.token, Outcome(StopReason.DRAINED, "", 1))
    claim("w2")
    before = store.get(job.id)
    for write in (
        lambda: store.renew(job.id, old.token, 30),
        lambda: store.publish(job.id, old.token, 99, 99),
        lambda: store.set_progress(job.id, old.token, 99, {}),
        lambda: store.append_events(job.id, old.token, ["{}"]),
        lambda: store.raise_token(job.id, old.token, 99),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert store.get(job.id) == before and store.events(job.id) == ()
