"""What is uploaded stands on the record, and whoever reaches the remote folder may claim the job."""

import pytest

from srqueue.queue.waiting import able
from srqueue.run.folder import CheckpointName
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.store.record import RecordGone, WorkerRecord

LEASE = 30


@pytest.fixture
def job(store):
    job, _ = store.create(
        "01K0000000000000000000000A", spec={"name": "x"}, origins={}, spec_id="s", name="x", total_iter=100
    )
    return job


def claim(store, roots, worker="w:1"):
    return store.claim(worker, "h", ["any"], LEASE, roots)


def test_only_the_holder_publishes_an_upload_and_it_never_falls(store, job):
    first = claim(store, {"far": "/a", "near": "/a"})
    assert (first.record.root_id, first.record.run_dir) == ("far", f"/a/{job.id}")
    store.bind(job.id, 1, "far", first.record.run_dir)
    assert store.publish_upload(job.id, 1, CheckpointName(4, 40, 1))
    assert store.publish_upload(job.id, 1, CheckpointName(3, 30, 1))
    assert (store.get(job.id).remote_seq, store.get(job.id).remote_iteration) == (4, 40)
    store.connection.redis.hset(store.keys.job(job.id), "token", 2)  # taken over
    assert not store.publish_upload(job.id, 1, CheckpointName(9, 90, 1))
    assert store.get(job.id).remote_seq == 4
    # Who went on from a checkpoint before a damaged one numbers his own from there.
    assert store.publish_upload(job.id, 2, CheckpointName(4, 38, 2))
    assert store.get(job.id).remote_iteration == 38
    with pytest.raises(RecordGone):
        store.publish_upload("01K0000000000000000000000B", 1, CheckpointName(1, 1, 1))


def test_a_job_of_the_remote_folder_is_for_any_worker_that_reaches_it(store, job, settings):
    given = claim(store, {"far": "/a", "near": "/a"})
    store.bind(job.id, 1, "far", given.record.run_dir)
    store.ask(job.id, "pause")
    store.finish(job.id, 1, Outcome(StopReason.PAUSED, "", 0))
    waiting = store.resume(job.id)
    about = {"host": "h", "pid": 1, "classes": ("any",), "device": "cpu", "version": "1", "since": 0.0}
    reaches = WorkerRecord(name="a", root_id="other", remote_id="far", **about)
    lacks = WorkerRecord(name="b", root_id="third", **about)
    assert able(waiting, [reaches, lacks]) == [reaches]
    assert (
        WorkerRecord.from_hash({"name": "a", **{k: str(v) for k, v in reaches.to_hash().items()}}) == reaches
    )
    assert store.ahead(waiting, [reaches]) == 0
    assert claim(store, {"third": "/b"}) is None
    assert claim(store, {"far": "/c", "other": "/c"}).record.run_dir == f"/c/{job.id}"
