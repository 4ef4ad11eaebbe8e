"""A trainer that nobody here can end holds the run folder: its successor waits, and that is no failure."""

import os
import signal

from srqueue.run.reasons import CONSEQUENCES, StopReason
from tests.faults.by_hand import assert_same

SHORT_PATIENCE = """
import sys
from workers.trainer import process
from workers.trainer.__main__ import main

process._LOCK_WAIT = float(sys.argv.pop(1))
sys.exit(main([*sys.argv[1:], "--supervised"]))
"""


def test_a_frozen_trainer_elsewhere_holds_up_its_job_and_fails_it_not(job, undisturbed, wait_until):
    first = job.start(1, supervised=True)
    wait_until(lambda: job.saved_by(1), "a commit")
    os.kill(first.pid, signal.SIGSTOP)
    second = job.start(2, job.newest(), supervised=True, code=(SHORT_PATIENCE, 0.3))
    assert second.wait(60) != 0
    outcome = job.outcome(2)
    assert outcome.reason is StopReason.ROOT_MISSING and "another trainer works" in outcome.message
    assert not CONSEQUENCES[outcome.reason].counts_as_failure
    assert outcome.iteration == job.newest().iteration > 0
    first.kill()
    first.wait()
    assert job.finish(3, job.newest()).reason is StopReason.COMPLETED
    assert_same(job, undisturbed)
