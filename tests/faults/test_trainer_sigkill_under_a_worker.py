"""SIGKILL to the trainer of a queued job."""

from srqueue.run.reasons import JobState
from tests.faults.queued import run_of, tensors, trainer_of


def test_a_trainer_that_is_killed_is_started_again_where_it_was(
    client, running, start_worker, undisturbed_job
):
    worker = start_worker(WARM="true")
    job = running()
    trainer_of(job).kill()
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.attempts) == (JobState.SUCCEEDED, 2)
    assert worker.process.poll() is None
    assert tensors(run_of(done)) == undisturbed_job
