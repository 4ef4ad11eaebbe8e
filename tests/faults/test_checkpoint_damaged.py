"""The newest checkpoint is damaged when the run goes on."""

import os

import pytest

from srqueue.run.reasons import StopReason
from tests.faults.by_hand import assert_same


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)


DAMAGE = {
    "a cut payload": lambda folder: os.truncate(folder / "state.safetensors", 1000),
    "a flipped bit in the payload": lambda folder: flip(folder / "state.safetensors"),
    "a flipped bit in the manifest": lambda folder: flip(folder / "manifest.json"),
    "a missing manifest": lambda folder: (folder / "manifest.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_newest_checkpoint_costs_only_time(job, undisturbed, wait_until, damage):
    process = job.start(1)
    wait_until(lambda: len(job.run.checkpoint_names()) >= 2, "two commits")
    process.kill()
    process.wait()
    damaged = job.newest()
    DAMAGE[damage](job.run.checkpoints / str(damaged))
    assert job.finish(2, damaged).reason is StopReason.COMPLETED
    assert (job.run.checkpoints / f"bad-{damaged}").is_dir()
    assert_same(job, undisturbed)
