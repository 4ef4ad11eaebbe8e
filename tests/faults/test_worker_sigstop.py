"""SIGSTOP to a worker and its trainer; it wakes up after the takeover."""

import os
import signal

import psutil

from srqueue.run.reasons import JobState
from tests.faults.queued import run_of, split, tensors, trainer_of


def test_a_frozen_worker_that_wakes_up_changes_nothing(
    client, running, start_worker, undisturbed_job, wait_until
):
    workers = [start_worker(name, WARM="true") for name in ("w1", "w2")]
    job = running()
    own, _ = split(workers, job)
    old = trainer_of(job)
    frozen = [own.process.pid, old.ppid(), old.pid]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: client.get(job.id).token == 2, "another worker takes over")
    wait_until(
        lambda: not old.is_running() or old.status() == psutil.STATUS_ZOMBIE, "the old trainer is ended"
    )
    for pid in frozen[:2]:
        os.kill(pid, signal.SIGCONT)
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.token) == (JobState.SUCCEEDED, 2)
    assert tensors(run_of(done)) == undisturbed_job
