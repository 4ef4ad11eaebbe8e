"""Time that counts only while windows are open: when so much of it will have passed."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from srqueue.spec.windows import Window, spans

FAR = 400 * 86400.0
"""Seconds that are looked at one by one; behind them as much is open as was on average."""

Span = tuple[float, float]


def after_open(windows: Iterable[Window], since: float, seconds: float) -> float:
    """UTC s at which so many seconds have passed in which one of the windows was open; `since`: UTC s."""
    return since + OpenTime([tuple(windows)], since).after(0.0, seconds)


class OpenTime:
    """When each of several sets of windows has one that is open, a job's and its worker's.

    Windows are read by this machine's local time; without any it is always open. Moments are seconds from
    `since` (UTC s) on, infinite where there is no such moment.
    """

    def __init__(self, sets: Iterable[Sequence[Window]], since: float) -> None:
        some = [windows for windows in sets if windows]
        self.always = not some
        self._coming = _together([_of(windows, since) for windows in some])
        # Of the spans that were looked at: begins, ends, and what was open until the end of each.
        self._begins: list[float] = []
        self._ends: list[float] = []
        self._open: list[float] = []

    def opens(self, at: float) -> float:
        """The first moment from `at` on at which it is open."""
        if self.always or at >= FAR:
            return at
        self._look(until=at)
        place = bisect_right(self._ends, at)
        return max(self._begins[place], at) if place < len(self._begins) else math.inf

    def closes(self, at: float) -> float:
        """When it closes next; `at` itself where it is closed."""
        if self.always or at >= FAR:
            return math.inf
        opens = self.opens(at)
        return self._ends[bisect_right(self._ends, at)] if opens == at else at

    def spent(self, until: float) -> float:
        """Open seconds until a moment."""
        if self.always:
            return until
        self._look(until=until)
        place = bisect_right(self._ends, until)
        found = self._open[place - 1] if place else 0.0
        if place < len(self._begins):
            found += max(until - self._begins[place], 0.0)
        return found + (until - FAR) * self._usual() if until > FAR else found

    def after(self, at: float, seconds: float) -> float:
        """When so many open seconds have passed since `at`."""
        if self.always or seconds <= 0:
            return at + max(seconds, 0.0)
        wanted = self.spent(at) + seconds
        self._look(spent=wanted)
        place = bisect_left(self._open, wanted)
        if place < len(self._open):
            return self._ends[place] - (self._open[place] - wanted)
        usual, known = self._usual(), self._open[-1] if self._open else 0.0
        return FAR + (wanted - known) / usual if usual > 0 else math.inf

    def _look(self, until: float = -math.inf, spent: float = -math.inf) -> None:
        """Looks ahead until a span ends behind `until`, and so much was open."""
        while not self._open or self._ends[-1] <= until or self._open[-1] < spent:
            if (span := next(self._coming, None)) is None:
                return
            begin, end = span
            self._begins.append(begin)
            self._ends.append(end)
            self._open.append((self._open[-1] if self._open else 0.0) + end - begin)

    def _usual(self) -> float:
        """Share of the time that is open, once all of it was looked at."""
        return self._open[-1] / FAR if self._open else 0.0


def _of(windows: Sequence[Window], since: float) -> Iterator[Span]:
    """Where one of them is open, as seconds from `since`, up to FAR; what touches is one."""
    begin, end = 0.0, 0.0
    for first, last in spans(windows, datetime.fromtimestamp(since).astimezone()):
        opens, closes = max(first.timestamp() - since, 0.0), last.timestamp() - since
        if opens > end:
            if end > begin:
                yield begin, end
            begin = opens
        if begin >= FAR:
            return
        end = min(max(end, closes), FAR)
        if end >= FAR:
            break
    if end > begin:
        yield begin, end


def _together(several: Sequence[Iterator[Span]]) -> Iterator[Span]:
    """Where all are open."""
    newest = [next(one, None) for one in several]
    while newest and (there := [span for span in newest if span is not None]) and len(there) == len(newest):
        begin, end = max(b for b, _ in there), min(e for _, e in there)
        if begin < end:
            yield begin, end
        newest = [
            next(one, None) if span[1] <= end else span for one, span in zip(several, there, strict=True)
        ]
