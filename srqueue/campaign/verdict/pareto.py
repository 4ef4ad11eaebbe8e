"""The Pareto front: what nothing else beats in quality and cost at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from srqueue.campaign.verdict.groups import Group

COSTS = {
    "hours": "hours of training",
    "parameters": "parameters",
    "ms_per_megapixel": "inference, ms per megapixel",
}  # fmt: skip
"""What quality is weighed against: attribute of a group -> what it is."""


@dataclass(frozen=True)
class Point:
    """A group in a plot of quality (dB) against a cost. `front`: no other is as good for less, or better for
    as much."""

    group: Group
    cost: float
    quality: float
    front: bool


def points(groups: Sequence[Group], cost: str) -> tuple[Point, ...]:
    """Those whose cost is known, cheapest first. Inference that was timed on other devices than most is left
    out: milliseconds of two devices are not of one kind."""
    known = [(g, float(getattr(g, cost)), g.mean) for g in groups if getattr(g, cost) is not None]
    if cost == "ms_per_megapixel" and known:
        devices = [group.device for group, *_ in known]
        most = max(devices, key=devices.count)
        known = [row for row in known if row[0].device == most]
    pairs = [(group, price, quality) for group, price, quality in known if quality is not None]
    on_front = front([(price, quality) for _, price, quality in pairs])
    found = [Point(*pair, i in on_front) for i, pair in enumerate(pairs)]
    return tuple(sorted(found, key=lambda point: (point.cost, -point.quality)))


def front(pairs: Sequence[tuple[float, float]]) -> set[int]:
    """Places of the (cost, quality) that no other one dominates."""
    found: set[int] = set()
    order = sorted(range(len(pairs)), key=lambda i: (pairs[i][0], -pairs[i][1]))
    best: tuple[float, float] | None = None
    for place in order:
        if best is None or pairs[place][1] > best[1] or pairs[place] == best:
            found.add(place)
            best = pairs[place]
    return found
