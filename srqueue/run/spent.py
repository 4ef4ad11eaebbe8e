"""What attempts have taken, by their event lines: for campaigns' budgets where Redis has lost its data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from srqueue.run.events import read_events
from srqueue.run.folder import AttemptDir

_LAST = 1 << 16
"""Bytes of the end of a file among which its newest report is."""


@dataclass(frozen=True)
class Spent:
    """`seconds` from the first event of each attempt to its last; `kwh`: as far as its trainer told."""

    seconds: float = 0.0
    kwh: float = 0.0


NOTHING = Spent()


def spent(attempts: Iterable[AttemptDir]) -> Spent:
    """Of attempts together. Raises OSError where a file cannot be read."""
    seconds = kwh = 0.0
    for attempt in attempts:
        first = next(read_events(attempt.events_file), None)
        if first is None:
            continue
        size, told = attempt.events_file.stat().st_size, 0.0
        newest = first[0].t
        for event, _ in read_events(attempt.events_file, max(0, size - _LAST)):
            newest = event.t
            value = event.data.get("attempt_kwh")
            told = float(value) if isinstance(value, int | float) else told
        seconds, kwh = seconds + max(0.0, newest - first[0].t), kwh + told
    return Spent(seconds, kwh)
