"""Pause, resume and cancel, between real processes."""

from srqueue.run.reasons import JobState, StopReason
from tests.faults.queued import run_of, tensors


def test_a_paused_and_resumed_job_gives_the_same_result(client, running, start_worker, undisturbed_job):
    start_worker(WARM="true")
    job = running()
    client.pause(job.id)
    paused = client.wait(job.id, timeout=30)
    assert (paused.state, paused.owner) == (JobState.PAUSED, None)
    client.resume(job.id)
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.failures) == (JobState.SUCCEEDED, 0)
    assert tensors(run_of(done)) == undisturbed_job


def test_a_cancelled_job_keeps_its_best_weights(client, running, start_worker):
    start_worker()
    job = running()
    client.cancel(job.id)
    done = client.wait(job.id, timeout=30)
    assert (done.state, done.reason) == (JobState.CANCELLED, StopReason.CANCELLED)
    assert list(run_of(done).export.glob("*.safetensors"))


def test_a_paused_job_that_is_cancelled_keeps_its_best_weights(client, running, start_worker):
    start_worker()
    job = running()
    client.pause(job.id)
    paused = client.wait(job.id, timeout=30)
    assert paused.state is JobState.PAUSED and not list(run_of(paused).export.glob("*.safetensors"))
    asked = client.cancel(job.id)
    assert (asked.state, asked.wish) == (JobState.QUEUED, "cancel")
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.reason) == (JobState.CANCELLED, StopReason.CANCELLED)
    assert (done.iteration, done.seq) == (paused.iteration, paused.seq)  # nothing was trained
    assert list(run_of(done).export.glob("*.safetensors"))
