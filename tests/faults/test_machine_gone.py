"""Every process of a machine is gone at once; another machine takes its job over."""

import os
import signal

import psutil

from tests.faults.queued import assert_exact, gone, run_of, trainer_of


def test_a_machine_that_vanishes_costs_only_time(client, running, start_worker, undisturbed_job, wait_until):
    own = start_worker("w1", host="first")
    job = running()
    trainer = trainer_of(job)
    family = [psutil.Process(own.process.pid), psutil.Process(trainer.ppid()), trainer]
    for process in family:
        os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: all(map(gone, family)), "all of them have ended")
    assert client.get(job.id).seq is not None  # after a commit
    start_worker("w2", host="second")
    done = client.wait(job.id, timeout=120)
    assert (done.token, done.attempts, done.failures) == (2, 2, 0)
    assert run_of(done).attempt(2).read()["resume"] is not None
    assert_exact(client, done, undisturbed_job)
