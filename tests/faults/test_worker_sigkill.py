"""SIGKILL to a worker's main process."""

import psutil

from srqueue.run.reasons import JobState
from tests.faults.queued import run_of, split, tensors, trainer_of


def test_a_killed_worker_is_taken_over_from_its_checkpoint(
    client, running, start_worker, undisturbed_job, wait_until
):
    workers = [start_worker(name, WARM="true") for name in ("w1", "w2")]
    job = running()
    own, _ = split(workers, job)
    trainer = trainer_of(job)
    own.kill_main()
    wait_until(
        lambda: not trainer.is_running() or trainer.status() == psutil.STATUS_ZOMBIE, "its trainer ends", 10
    )
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.token, done.attempts) == (JobState.SUCCEEDED, 2, 2)
    assert run_of(done).attempt(2).read()["resume"] is not None
    assert tensors(run_of(done)) == undisturbed_job
