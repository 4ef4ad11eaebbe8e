"""What the store tells of a job that waits or runs: who stands before it, and its next moments."""

import socket
import time

import pytest
from ulid import ULID

from srqueue.queue.facts import facts_of
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.record import WorkerRecord

WORKER = WorkerRecord(
    name="w1@here",
    host="here",
    pid=7,
    classes=("any", "cpu"),
    device="cpu",
    version="1",
    since=0.0,
    root_id="r",
)


@pytest.fixture
def create(store):
    def make(name, priority=5, device_class="any"):
        job, _ = store.create(
            str(ULID()), spec={}, origins={}, spec_id=name, name=name, total_iter=100, priority=priority,
            device_class=device_class,
        )  # fmt: skip
        time.sleep(0.002)  # created in this order
        return job

    return make


def claim(store):
    return store.claim("w1@here:7", "here", WORKER.classes, 60, {"r": "/runs"})


def test_those_before_a_job_are_named_in_their_order(store, create):
    job = create("mine")
    create("later")
    create("elsewhere", 9, "cuda")
    first = [create("best", 9).id, create("good", 8, "cpu").id, create("better", 7).id]
    assert [j.id for j in store.first_ahead(job, [WORKER], 5)] == first
    assert [j.id for j in store.first_ahead(job, [WORKER], 2)] == first[:2]
    assert store.ahead(job, [WORKER]) == 3
    runs = claim(store)
    assert store.first_ahead(runs.record, [WORKER], 5) == ()


def test_a_ready_job_is_rung_for_and_a_running_one_has_a_lease(store, create):
    job = create("one")
    ready = store.moments(job.id)
    assert 0 < ready.rung_in <= 2 and abs(ready.now - time.time()) < 5
    assert (ready.lease_left, ready.lease, ready.silent, ready.saved) == (None, None, None, None)
    token = claim(store).token
    store.publish(job.id, token, 1, 40)
    runs = store.moments(job.id)
    assert runs.rung_in is None and runs.lease == 60 and runs.saved == 40
    assert 0 <= runs.silent < 5 and runs.lease_left == pytest.approx(60, abs=5)
    store.ask(job.id, "pause")
    store.finish(job.id, token, Outcome(StopReason.PAUSED, "", 40, 1))
    paused = store.moments(job.id)
    assert (paused.lease_left, paused.lease, paused.rung_in, paused.saved) == (None, None, None, 40)
    assert store.moments(str(ULID())).lease_left is None


def test_the_facts_of_a_waiting_job_are_put_together(store, create, tmp_path):
    store.announce_worker(WORKER, 60)
    create("runs", 9)
    running = claim(store).record
    job, first = create("mine"), create("best", 9)
    facts = facts_of(store, job.id)
    assert facts.job.state is JobState.QUEUED and facts.waits == "behind 1 job"
    assert (facts.ahead, [j.id for j in facts.first_ahead]) == (1, [first.id])
    assert facts.able == list(store.workers())
    assert [j.id for j in facts.runs_on(facts.able[0])] == [running.id]
    assert not facts.here and facts.evidence is None and facts.free is None


def test_free_room_is_that_of_the_root_where_the_folder_is_gone(store, create, tmp_path):
    job = create("one")
    root = tmp_path / "runs"
    root.mkdir()
    run = store.claim("w1@here:7", socket.gethostname(), ["any"], 60, {"r": str(root)})
    store.bind(job.id, run.token, "r", str(root / job.id))
    gone = facts_of(store, job.id)
    assert gone.here and gone.evidence is None and gone.free > 0
    (root / job.id).mkdir()
    assert facts_of(store, job.id).evidence is None, "a folder beside no root_id may be anybody's"
    (root / "root_id").write_text("r\n")
    assert facts_of(store, job.id).evidence is not None
