"""The trainer alone is frozen: its supervisor finds it hung, ends it, and the next attempt goes on."""

import os
import signal

import psutil

from srqueue.run.reasons import JobState
from tests.faults.queued import run_of, tensors, trainer_of


def test_a_frozen_trainer_is_found_and_started_again(
    client, running, start_worker, undisturbed_job, monkeypatch, wait_until
):
    monkeypatch.setenv("SRQUEUE_HANG", "2")
    worker = start_worker()
    job = running()
    trainer = trainer_of(job)
    os.kill(trainer.pid, signal.SIGSTOP)
    saved = client.get(job.id)
    done = client.wait(job.id, timeout=90)
    assert (done.state, done.attempts, done.failures) == (JobState.SUCCEEDED, 2, 0)
    assert "the trainer was stopped" not in worker.text()
    assert run_of(done).attempt(2).read()["resume"] is not None
    assert saved.seq is not None
    assert not psutil.pid_exists(trainer.pid)
    assert worker.process.poll() is None
    assert tensors(run_of(done)) == undisturbed_job


def test_three_times_without_a_checkpoint_it_fails_and_says_why(
    client, spec_for, start_worker, fault_in_trainers, monkeypatch
):
    monkeypatch.setenv("SRQUEUE_HANG", "0.6")
    fault_in_trainers("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n")
    start_worker()
    job = client.submit(spec_for(client)).job
    done = client.wait(job.id, timeout=120)
    assert (done.state, done.failures) == (JobState.FAILED, 3)
    assert "no sign of life for" in done.message and "it was stopped (SIGSTOP)" in done.message
