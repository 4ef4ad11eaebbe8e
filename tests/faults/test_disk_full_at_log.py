"""The disk of events and log is full for a while; the checkpoints' is not."""

import json

import torch

from srqueue.run.reasons import StopReason
from tests.faults.by_hand import Job, fill, make_job


def test_what_cannot_be_logged_is_lost_and_nothing_else(
    small_disk, tmp_path, pictures, tiny_spec, undisturbed, wait_until
):
    made = make_job(tmp_path, pictures, tiny_spec)
    (made.run.path / "attempts").rmdir()
    (made.run.path / "attempts").symlink_to(small_disk)
    job = Job(made.run, made.listing, made.processes)
    process = job.start(1)
    wait_until(lambda: job.saved_by(1), "a commit")
    since = job.newest().seq
    fill(small_disk / "filler")
    told = job.run.attempt(1).events_file.stat().st_size
    wait_until(lambda: job.newest().seq >= since + 3, "three more commits")
    assert job.run.attempt(1).events_file.stat().st_size - told < 4096
    (small_disk / "filler").unlink()
    assert process.wait(120) == 0
    assert job.outcome(1).reason is StopReason.COMPLETED
    (state, tensors), (expected_state, expected) = job.final_state(), undisturbed
    assert [name for name in expected if not torch.equal(tensors[name], expected[name])] == []
    assert state == expected_state
    lines = job.run.attempt(1).events_file.read_bytes().splitlines()
    assert json.loads(lines[-1])["data"]["phase"] == "finished"  # written again once there is room
    assert not job.run.reserve_file.exists()
