"""SIGKILL to the trainer before, within and after the save of a roll-back."""

import signal

import pytest
import torch

from srqueue.run.reasons import StopReason
from tests.faults.by_hand import make_job

# Trains with a sample that is not a number, so that the run goes back once; kills itself in that roll-back:
# 1 before it is saved, 2 within that save, 3 right after it, 0 never.
GOING_BACK = """
import os, signal, sys
from workers.trainer import checkpoint, saving
from workers.trainer.__main__ import main
from workers.trainer.data.batches import Batches

point = int(sys.argv.pop(1))
real_batch, real_commit = Batches.__getitem__, saving.commit

def getitem(self, sample):
    lr, hr = real_batch(self, sample)
    return lr, hr * (float("nan") if sample == 170 else 1)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def half(path, data):
    path.write_bytes(data[: len(data) // 2])
    die()

def commit(folder, tensors, manifest):
    first = manifest.state["rollbacks"] == 1 and manifest.state["iteration"] < 160
    if first and point == 1:
        die()
    if first and point == 2:
        checkpoint._write_manifest = half
    written = real_commit(folder, tensors, manifest)
    if first and point == 3:
        die()
    return written

Batches.__getitem__, saving.commit = getitem, commit
sys.exit(main())
"""


@pytest.fixture(scope="module")
def gone_back(tmp_path_factory, pictures, tiny_spec):
    """State and tensors at the end of a run that went back once."""
    job = make_job(tmp_path_factory.mktemp("gone_back"), pictures, tiny_spec)
    assert job.finish(1, code=(GOING_BACK, 0)).reason is StopReason.COMPLETED
    return job.final_state()


@pytest.mark.parametrize("point", [1, 2, 3])
def test_sigkill_inside_a_roll_back(job, gone_back, point):
    process = job.start(1, code=(GOING_BACK, point))
    assert process.wait(60) == -signal.SIGKILL
    assert job.newest().iteration == (120 if point == 3 else 160)
    assert job.finish(2, job.newest(), code=(GOING_BACK, 0)).reason is StopReason.COMPLETED
    (state, tensors), (expected_state, expected) = job.final_state(), gone_back
    assert [name for name in expected if not torch.equal(tensors[name], expected[name])] == []
    assert state == expected_state
    assert (state["rollbacks"], state["guard_factor"], state["sample_offset"]) == (1, 0.5, 80)
