"""The watchdog: how long a trainer has been silent, by what it writes and by this process's own clock."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from workers.trainer.heart import UNKNOWN

MOST_A_LOOK = 5.0
"""Seconds that count between two looks at most: a supervisor that was itself stopped saw nothing then."""


class Watchdog:
    """Watches the beats of one trainer. `patience`: seconds (SRQUEUE_HANG)."""

    def __init__(self, file: Path, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._file, self._clock = file, clock
        self._seen: tuple[bytes, int] = (b"", 0)
        self._usual = UNKNOWN * patience  # until it has imported torch
        self._looked = clock()
        self.silent = 0.0
        """Seconds since the last sign of life."""

    def hung(self) -> bool:
        """Whether it has been silent for longer than is usual for what it does. Call it often."""
        now = self._clock()
        passed, self._looked = min(now - self._looked, MOST_A_LOOK), now
        try:
            with self._file.open("rb") as file:
                # Where the disk is full only the time changes.
                beat = file.read(), os.fstat(file.fileno()).st_mtime_ns
        except OSError:  # there is none yet, or the folder is away: that is no matter of the trainer
            beat = self._seen
        if beat == self._seen:
            self.silent += passed
            return self.silent > self._usual
        self._seen, self.silent = beat, 0.0
        with contextlib.suppress(ValueError, IndexError):  # torn, or empty yet: what was said before holds
            self._usual = float(beat[0].split()[1])
        return False
