"""SIGTERM to a worker: it hands its job back."""

import os
import signal

from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from tests.faults.queued import run_of, split, tensors, trainer_of


def test_a_worker_that_is_shut_down_hands_its_job_to_another(client, running, start_worker, undisturbed_job):
    workers = [start_worker(name, WARM="true") for name in ("w1", "w2")]
    job = running()
    own, _ = split(workers, job)
    own.terminate()
    assert own.process.wait(30) == 0
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.token, done.attempts, done.failures) == (JobState.SUCCEEDED, 2, 2, 0)
    first = Outcome.read(run_of(done).attempt(1).outcome_file)
    assert first.reason is StopReason.DRAINED and first.iteration > 0
    # It went on exactly where the other stopped.
    assert f"-it{first.iteration}-" in run_of(done).attempt(2).read()["resume"]
    assert tensors(run_of(done)) == undisturbed_job


def test_a_shut_down_worker_claims_nothing_more(client, running, start_worker):
    worker = start_worker()
    job = running()
    worker.terminate()
    assert worker.process.wait(30) == 0
    left = client.get(job.id)
    assert (left.state, left.reason, left.attempts) == (JobState.QUEUED, StopReason.DRAINED, 1)


def test_sigterm_to_every_process_at_once_is_a_hand_back_too(client, running, start_worker):
    """As a service manager does it that signals the whole control group."""
    worker = start_worker()
    job = running()
    trainer = trainer_of(job)
    for pid in (trainer.pid, trainer.ppid(), worker.process.pid):
        os.kill(pid, signal.SIGTERM)
    assert worker.process.wait(30) == 0
    left = client.get(job.id)
    assert (left.state, left.reason, left.failures) == (JobState.QUEUED, StopReason.DRAINED, 0)
    assert Outcome.read(run_of(left).attempt(1).outcome_file).seq == left.seq
