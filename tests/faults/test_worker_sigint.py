"""Ctrl-C at a worker: once it hands its job back, twice it ends at once."""

import signal

import pytest

from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from tests.faults.queued import assert_exact, gone, run_of, trainer_of


def test_ctrl_c_hands_the_job_back(client, running, start_worker, undisturbed_job):
    own = start_worker("w1")
    job = running()
    own.process.send_signal(signal.SIGINT)
    assert own.process.wait(60) == 130
    left = client.get(job.id)
    assert (left.state, left.reason, left.failures) == (JobState.QUEUED, StopReason.DRAINED, 0)
    first = Outcome.read(run_of(left).attempt(1).outcome_file)
    assert (first.reason, first.seq) == (StopReason.DRAINED, left.seq)
    start_worker("w2")
    done = client.wait(job.id, timeout=120)
    assert (done.token, done.failures) == (2, 0)
    assert_exact(client, done, undisturbed_job)


def test_a_name_that_is_taken_is_refused(start_worker, client, wait_until):
    first = start_worker("w1")
    wait_until(lambda: client.store.workers(), "it is announced")
    with pytest.raises(AssertionError, match=r"w1@here is up already.*\n.*\n.*--name NAME"):
        start_worker("w1")
    assert first.process.poll() is None


def test_ctrl_c_twice_ends_the_worker_at_once(client, running, start_worker, undisturbed_job, wait_until):
    own = start_worker("w1")
    job = running()
    trainer = trainer_of(job)
    trainer.suspend()  # it cannot save: the first signal alone would have to wait for it
    own.process.send_signal(signal.SIGINT)
    wait_until(lambda: "Warm shutdown" in own.text() or "warm shutdown" in own.text(), "it is told to end")
    own.process.send_signal(signal.SIGINT)
    own.process.wait(30)
    wait_until(lambda: gone(trainer), "its trainer ends")
    start_worker("w2")
    done = client.wait(job.id, timeout=120)
    assert (done.token, done.attempts, done.failures) == (2, 2, 0)
    assert_exact(client, done, undisturbed_job)
