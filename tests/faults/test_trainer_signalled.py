"""SIGTERM and SIGINT to a trainer: it saves, and pauses."""

import signal

import pytest

from srqueue.run.reasons import StopReason
from tests.faults.by_hand import TOTAL, assert_same


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_pauses_with_a_checkpoint_where_it_stood(job, undisturbed, wait_until, number):
    process = job.start(1, fresh=True)
    wait_until(lambda: job.saved_by(1), "a commit")
    process.send_signal(number)
    assert process.wait(30) == 0
    outcome = job.outcome(1)
    assert outcome.reason is StopReason.PAUSED
    assert job.newest().iteration == outcome.iteration < TOTAL
    job.finish(2, job.newest())
    assert_same(job, undisturbed)
