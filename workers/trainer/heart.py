"""The trainer shows that it lives: a small file that changes at most once a second.

It says how long a silence after it is still usual, which only the trainer knows, and says so at once where
that grows: a save or a validation that follows a step within the second may take long. The supervisor
watches it (workers.watchdog). Kept by the process, as a heart is: whatever takes long may call `beat`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from pathlib import Path
from statistics import median

UNKNOWN = 15
"""Times the usual patience, where a part of the work may take nobody knows how long: the first steps of a
large network on a CPU, a compilation, the decoding of a huge picture."""

ITERATIONS = 20
"""A silence of so many iterations is still usual, however slow they are."""

_EVERY = 1.0
_WIDTH = 32
_MEASURED = 64


class Heart:
    """Beats into a file. `patience`: seconds of silence that are usual where an iteration takes less."""

    def __init__(self, path: Path, patience: float) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._patience = patience
        self._beats = 0
        self._not_before = self._stepped = self._told = 0.0
        self._steps: deque[float] = deque(maxlen=_MEASURED)

    def beat(self, stepped: bool = False) -> None:
        """One sign of life; `stepped`: an iteration of the training is done."""
        now = time.monotonic()
        if stepped:
            if self._stepped:
                self._steps.append(now - self._stepped)
            self._stepped = now
        elif self._stepped:
            self._stepped = 0.0  # what comes between two iterations is no iteration
        if now >= self._not_before:
            self._tell(now, self._usual() if stepped else UNKNOWN * self._patience)
        elif not stepped and self._told < UNKNOWN * self._patience:
            self._tell(now, UNKNOWN * self._patience)

    def _tell(self, now: float, patience: float) -> None:
        self._not_before, self._told = now + _EVERY, patience
        self._write(patience)

    def _usual(self) -> float:
        if len(self._steps) < 3:
            return UNKNOWN * self._patience
        return max(self._patience, ITERATIONS * median(self._steps))

    def _write(self, patience: float) -> None:
        self._beats += 1
        try:
            os.pwrite(self._file, f"{self._beats} {patience:.1f}\n".ljust(_WIDTH).encode(), 0)
        except OSError:  # a full disk is no death; a new time takes no room
            with contextlib.suppress(OSError):
                os.utime(self._file)


_hearts: list[Heart] = []


def start(path: Path, patience: float) -> None:
    """From now on this process beats into `path`."""
    _hearts[:] = [Heart(path, patience)]
    beat()


def beat(stepped: bool = False) -> None:
    """A sign of life, where anybody watches."""
    for heart in _hearts:
        heart.beat(stepped)
