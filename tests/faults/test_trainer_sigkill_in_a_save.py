"""SIGKILL to the trainer at each point of a commit."""

import signal

import pytest

from srqueue.run.reasons import StopReason
from tests.faults.by_hand import VAL_FREQ, assert_same
from workers.trainer.commit_points import COMMIT_POINTS

# Kills itself at a point of the second save.
KILLED_IN_A_SAVE = """
import sys
from workers.trainer import commit_points
from workers.trainer.__main__ import main

commit_points.arm(2, sys.argv.pop(1))
sys.exit(main())
"""


@pytest.mark.parametrize("point", COMMIT_POINTS)
def test_sigkill_inside_a_save(job, undisturbed, point):
    process = job.start(1, code=(KILLED_IN_A_SAVE, point))
    assert process.wait(60) == -signal.SIGKILL
    whole = [n.iteration for n in job.run.checkpoint_names()]
    last = point in ("renamed", "committed")
    assert whole == ([VAL_FREQ, 2 * VAL_FREQ] if last else [VAL_FREQ])
    assert job.finish(2, job.newest()).reason is StopReason.COMPLETED
    assert list(job.run.checkpoints.glob("tmp-*")) == []
    assert_same(job, undisturbed)
