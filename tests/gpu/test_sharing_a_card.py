"""Trainers on a real GPU: a spare takes nothing of it, slots take their share."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.gpu

GREEDY = """
import torch
from workers.trainer.budget import keep_to_share

keep_to_share("cuda:0", 4)
total = torch.cuda.get_device_properties(0).total_memory
small = torch.empty(total // 8, dtype=torch.uint8, device="cuda:0")
try:
    torch.empty(total // 4, dtype=torch.uint8, device="cuda:0")
except torch.OutOfMemoryError:
    print("refused")
"""


@pytest.fixture(autouse=True)
def _card():
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")


def test_a_spare_has_no_gpu_open_and_holds_no_memory_of_it():
    spare = subprocess.Popen(
        [sys.executable, "-m", "workers.trainer", "--spare", "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert spare.stdout.readline() == b"ready\n"
        opened = [str(file.readlink()) for file in Path(f"/proc/{spare.pid}/fd").iterdir()]
        assert [name for name in opened if name.startswith("/dev/nvidia")] == []
    finally:
        spare.kill()
        spare.communicate()


def test_what_is_more_than_the_share_of_a_slot_is_refused():
    done = subprocess.run([sys.executable, "-c", GREEDY], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
