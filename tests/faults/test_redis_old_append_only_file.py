"""Redis is started on an older copy of its append-only file: it has forgotten what came after."""

import shutil

import pytest

from srqueue.run.reasons import JobState
from tests.faults.queued import assert_one_run, assert_stream_is_whole, iteration_on_disk, run_of, tensors


def assert_stream_is_exact(client, done):
    """Every line, once, in order."""
    told = [(e.token, e.n) for e in client.events(done.id)]
    assert told == [(e.token, e.n) for e in run_of(done).events()]


@pytest.fixture
def keep_copy(own_valkey):
    """Copies the file; called again, kills the server and starts it on the copy."""

    def keep_copy():
        kept, copy = own_valkey.folder / "appendonlydir", own_valkey.folder / "copy"
        shutil.copytree(kept, copy)

        def go_back():
            own_valkey.kill()
            shutil.rmtree(kept)
            copy.rename(kept)
            own_valkey.start()

        return go_back

    return keep_copy


def test_an_earlier_moment_of_the_same_attempt(
    own_client, keep_copy, submit, start_worker, wait_until, undisturbed_job
):
    client = own_client
    start_worker("w1")
    start_worker("w2")
    job = submit(client)
    go_back = keep_copy()
    seen = iteration_on_disk(job)
    wait_until(lambda: iteration_on_disk(job) > seen + 400, "the training goes on")
    go_back()
    done = client.wait(job.id, timeout=60)
    assert_one_run(done)
    assert done.seq == run_of(done).checkpoint_names()[-1].seq
    assert_stream_is_exact(client, done)
    assert tensors(run_of(done)) == undisturbed_job


def test_a_moment_at_which_the_running_job_was_paused(
    own_client, keep_copy, submit, start_worker, wait_until, undisturbed_job
):
    client = own_client
    worker = start_worker("w1")
    start_worker("w2")
    job = submit(client)
    client.pause(job.id)
    paused = client.wait(job.id, timeout=60)
    assert (paused.state, paused.token) == (JobState.PAUSED, 1)
    go_back = keep_copy()
    client.resume(job.id)
    wait_until(lambda: client.get(job.id).seq > paused.seq, "its second attempt saves")
    go_back()
    wait_until(lambda: client.get(job.id).token == 2, "its owner takes the record over")
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.token, done.attempts, done.failures) == (JobState.SUCCEEDED, 2, 2, 0)
    assert [a.token for a in run_of(done).attempts()] == [1, 2]
    assert_stream_is_whole(client, done)
    assert tensors(run_of(done)) == undisturbed_job
    assert "Traceback" not in worker.text()


def test_a_moment_at_which_nobody_had_claimed_the_running_job(
    own_client, keep_copy, spec_for, start_worker, wait_until, undisturbed_job
):
    """An idle worker claims it at once: it finds the attempt on the disk, and leaves it to its owner."""
    client = own_client
    job = client.submit(spec_for(client)).job
    go_back = keep_copy()
    workers = [start_worker("w1"), start_worker("w2")]
    wait_until(lambda: client.get(job.id).seq is not None, "a checkpoint is published")
    go_back()
    wait_until(lambda: client.get(job.id).seq is not None, "its owner takes the record over")
    done = client.wait(job.id, timeout=60)
    assert_one_run(done)
    assert_stream_is_exact(client, done)
    assert tensors(run_of(done)) == undisturbed_job
    assert all("Traceback" not in worker.text() for worker in workers)
