"""Bands: what a figure will lie in, four times of five."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LOW, HIGH = 0.1, 0.9


@dataclass(frozen=True)
class Band:
    """An 80 % band: one time of ten it is below `low`, one of ten above `high`, half the times below
    `middle`."""

    low: float
    middle: float
    high: float

    def row(self, digits: int) -> list[float]:
        """As JSON has it."""
        return [round(self.low, digits), round(self.middle, digits), round(self.high, digits)]

    def widened(self, factor: float, least: float) -> Band:
        """Its sides so many times as long, none of it below `least`."""
        low = self.middle - factor * (self.middle - self.low)
        high = self.middle + factor * (self.high - self.middle)
        return Band(max(low, min(least, self.middle)), self.middle, high)

    def raised(self, high: float) -> Band:
        """Up to there at the least."""
        return Band(self.low, self.middle, max(self.high, high))

    @property
    def half(self) -> float:
        """Half its width, to be told behind a ±."""
        return (self.high - self.low) / 2


def band_of(values: Iterable[float]) -> Band:
    """Of equally likely values; ValueError for none."""
    ordered = sorted(values)
    return Band(quantile(ordered, LOW), quantile(ordered, 0.5), quantile(ordered, HIGH))


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of sorted values, between two of them in proportion; ValueError for none."""
    if not ordered:
        raise ValueError("there is no value")
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
