"""SIGKILL to the worker's child, which supervises."""

import psutil

from srqueue.run.reasons import JobState
from tests.faults.queued import run_of, tensors, trainer_of


def test_a_killed_child_of_the_worker_costs_one_lease(client, running, start_worker, undisturbed_job):
    worker = start_worker(WARM="true")
    job = running()
    child = psutil.Process(trainer_of(job).ppid())
    assert child.ppid() == worker.process.pid
    child.kill()
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.attempts) == (JobState.SUCCEEDED, 2)
    assert tensors(run_of(done)) == undisturbed_job
