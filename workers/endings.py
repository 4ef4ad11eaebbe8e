"""Why an attempt ended, where the trainer may not have said it."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from pathlib import Path

from srqueue.run.folder import AttemptDir, RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from workers.child import Trainer
from workers.last_words import how_it_ended, last_lines, where_it_stood

FULL = (errno.ENOSPC, errno.EDQUOT)
ALMOST_NOTHING = 1 << 20
"""Bytes; with less than that free, a disk is full."""

_FULL_WORDS = ("ENOSPC", "EDQUOT", *(os.strerror(number) for number in FULL))


def outcome_of(attempt: AttemptDir, trainer: Trainer, status: int, iteration: int) -> Outcome:
    """What the trainer said; else what was asked of it, where it was ended for that; else a crash.

    A trainer that was asked to stop and died of something else has not saved: that is no pause. A full disk
    keeps it from saying so, and is seen here.
    """
    outcome = Outcome.read(attempt.outcome_file)
    if outcome is not None:
        return outcome
    if trainer.hung is not None:
        where = where_it_stood(attempt.log_file)
        told = f"{trainer.hung}; it stood in {where}" if where else trainer.hung
        return Outcome(StopReason.HUNG, told, iteration)
    # A service manager ends every process of a worker; early on the trainer does not yet heed the signal.
    drained = trainer.stop is StopReason.DRAINED and status == -signal.SIGTERM
    if trainer.stop is not None and (trainer.forced or drained):
        return Outcome(
            trainer.stop, f"{how_it_ended(status, trainer.forced)} before it could save", iteration
        )
    lines = last_lines(attempt.log_file)
    message = how_it_ended(status, short_of_memory=trainer.short_of_memory) + (
        f"; its last lines:\n{lines}" if lines else ""
    )
    full = any(word in lines for word in _FULL_WORDS) or _no_room(attempt.path)
    return Outcome(StopReason.DISK_FULL if full else StopReason.CRASHED, message, iteration)


def reason_of(error: OSError, run: RunDir) -> StopReason:
    """What an error of the operating system means for the attempt that met it."""
    if error.errno in FULL:
        return StopReason.DISK_FULL
    usable = run.path.is_dir() and os.access(run.path, os.W_OK | os.X_OK)
    return StopReason.CRASHED if usable else StopReason.ROOT_MISSING


def _no_room(path: Path) -> bool:
    try:
        return shutil.disk_usage(path).free < ALMOST_NOTHING
    except OSError:
        return False
