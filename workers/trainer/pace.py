"""Pace: how fast a run goes, and when it will be done."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from workers.trainer import heart

_WINDOWS = 20

REPORT_SECONDS = 10.0
"""A report comes at the latest after so long, however slow the machine."""


class Pace:
    """Times steps between reports without what happens in `pause`; that is timed by itself.

    `val_freq`: iterations between validations, 0 for none; `print_freq`: between reports.
    """

    def __init__(self, val_freq: int, print_freq: int) -> None:
        self._val_freq, self._print_freq = val_freq, print_freq
        self._windows: deque[tuple[int, float]] = deque(maxlen=_WINDOWS)
        self._paused: dict[str, list[float]] = {"validation": [], "save": []}
        self._begun = self._marked = time.monotonic()

    def report_due(self, iteration: int) -> bool:
        """Whether it is time to report after `iteration` steps."""
        return iteration % self._print_freq == 0 or self.seconds >= REPORT_SECONDS

    @property
    def seconds(self) -> float:
        """Since the last lap, pauses not counted."""
        return time.monotonic() - self._begun

    def lap(self, steps: int) -> float:
        """Ends a window of `steps` iterations; iterations a second in it."""
        seconds = max(self.seconds, 1e-9)
        self._windows.append((steps, seconds))
        self._begun = time.monotonic()
        return steps / seconds

    @contextmanager
    def pause(self, what: str) -> Iterator[None]:
        """Times what is no training step: "validation" or "save". It may take long, and is known to."""
        heart.beat()
        begun = time.monotonic()
        try:
            yield
        finally:
            spent = time.monotonic() - begun
            self._paused[what].append(spent)
            self._begun += spent

    def eta(self, iteration: int, last: int) -> float:
        """Seconds to the end at `last` by what was measured: steps and the validations still due."""
        steps = sum(n for n, _ in self._windows)
        if not steps:
            return 0.0
        training = sum(s for _, s in self._windows)
        eta = (last - iteration) * training / steps
        validations = self._paused["validation"]
        if self._val_freq and validations:
            due = -(-last // self._val_freq) - iteration // self._val_freq
            eta += due * sum(validations) / len(validations)
        return eta

    @property
    def unwalled(self) -> float:
        """Seconds since the last call of `wall`."""
        return time.monotonic() - self._marked

    def wall(self) -> float:
        """Seconds since the last call of `wall`, everything counted."""
        now = time.monotonic()
        spent, self._marked = now - self._marked, now
        return spent
