"""Attempts on a full disk."""

import contextlib
import errno
import os

import pytest

from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from workers.trainer import checkpoint
from workers.trainer.attempt import run_attempt
from workers.trainer.stopping import StopRequest


def full_disk(monkeypatch, until, number=errno.ENOSPC):
    """Every checkpoint fails with this error until `until()` is true."""
    real = checkpoint._write_payload

    def write(path, tensors):
        if not until():
            path.write_bytes(bytes(1000))
            raise OSError(number, os.strerror(number))
        return real(path, tensors)

    monkeypatch.setattr(checkpoint, "_write_payload", write)


def test_training_goes_on_while_the_disk_is_full_and_is_saved_later(new_job, monkeypatch):
    job = new_job(40, val__val_freq=10)
    full_disk(monkeypatch, until=lambda: len(job.events("val")) >= 3)
    outcome = job.attempt()
    assert outcome.reason is StopReason.COMPLETED
    assert [n.iteration for n in job.run.checkpoint_names()] == [30, 40]
    assert sum("could not save" in text for text in job.messages()) >= 1
    assert list(job.run.checkpoints.glob("tmp-*")) == []


def test_a_disk_that_is_still_full_at_the_end_is_disk_full(new_job, monkeypatch):
    job = new_job(20)
    full_disk(monkeypatch, until=lambda: False)
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration) == (StopReason.DISK_FULL, 20)
    assert list(job.run.checkpoints.iterdir()) == []


def test_a_disk_that_refuses_twice_costs_nothing(new_job, monkeypatch):
    job = new_job(40, val__val_freq=10)
    full_disk(monkeypatch, lambda: len(job.events("val")) >= 3, errno.EIO)
    outcome = job.attempt()
    assert outcome.reason is StopReason.COMPLETED
    assert [n.iteration for n in job.run.checkpoint_names()] == [30, 40]
    assert [n.seq for n in job.run.checkpoint_names()] == [1, 2]


def test_a_disk_that_refuses_three_times_in_a_row_ends_the_attempt(new_job, monkeypatch):
    job = new_job(40, val__val_freq=5)
    full_disk(monkeypatch, lambda: False, errno.EIO)
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration) == (StopReason.CRASHED, 15)
    assert "Input/output error" in outcome.message
    assert list(job.run.checkpoints.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")  # noqa: PTH110
def test_events_and_log_on_a_full_disk_never_end_a_training(new_job, monkeypatch):
    job = new_job(20)
    job.run.attempt(1).path.mkdir(parents=True)
    job.run.attempt(1).events_file.symlink_to("/dev/full")
    log = open("/dev/full", "w")  # noqa: PTH123, SIM115
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", log)
        assert job.attempt().reason is StopReason.COMPLETED
    with contextlib.suppress(OSError):
        log.close()


def test_an_outcome_that_cannot_be_written_is_the_last_line_of_the_log(new_job, monkeypatch, capsys):
    def write(self, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Outcome, "write", write)
    job = new_job(2)
    attempt = job.run.write_attempt(
        1, None, listings={"train": job.listing_file, "val": job.listing_file}, device="cpu", threads=1
    )
    assert run_attempt(job.run, attempt, StopRequest()) == 1
    assert "No space left on device" in capsys.readouterr().out.splitlines()[-1]
