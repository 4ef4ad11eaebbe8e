"""The disk fills up under a training, or is full when it begins."""

import os

from srqueue.run.reasons import StopReason
from tests.faults.by_hand import TOTAL, assert_same, fill, make_job


def test_a_disk_that_fills_up_is_told_and_costs_only_time(
    small_disk, pictures, tiny_spec, undisturbed, wait_until
):
    job = make_job(small_disk, pictures, tiny_spec)
    process = job.start(1)
    log = job.run.attempt(1).log_file

    def failed():
        fill(small_disk / "filler")
        return "could not save a checkpoint" in log.read_text() or process.poll() is not None

    wait_until(lambda: job.saved_by(1), "a commit")
    wait_until(failed, "a save that does not fit")
    assert process.wait(60) == 0, log.read_text()
    outcome = job.outcome(1)
    assert (outcome.reason, outcome.iteration) == (StopReason.DISK_FULL, TOTAL)
    assert "no space left on device" in outcome.message
    assert not job.run.reserve_file.exists()

    (small_disk / "filler").unlink()
    assert job.finish(2, job.newest()).reason is StopReason.COMPLETED
    assert_same(job, undisturbed)


def test_a_disk_that_is_full_from_the_start_is_told(small_disk, pictures, tiny_spec):
    job = make_job(small_disk, pictures, tiny_spec)
    fill(small_disk / "filler")
    os.truncate(small_disk / "filler", (small_disk / "filler").stat().st_size - 4 * 4096)
    process = job.start(1)
    log = job.run.attempt(1).log_file
    assert process.wait(60) == 0, log.read_text()
    assert job.outcome(1).reason is StopReason.DISK_FULL
    assert "No space left on device" in log.read_text().splitlines()[-1]
