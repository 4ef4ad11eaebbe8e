"""What a training drew, out of what its trainers told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from srqueue.counting import kwh_text
from srqueue.run.events import Event

_LONGEST_GAP = 600.0
"""Seconds between two readings that still belong together."""


class Energy(NamedTuple):
    """`kwh`: of all attempts, also of what was trained again; `hours` in which that was told; `estimated`:
    the part of the kWh that nobody measured; `cost` in `currency`, where a price is known."""

    kwh: float
    hours: float
    estimated: float = 0.0
    cost: float | None = None
    currency: str = ""
    whole: bool = True  # False: of the card alone, by a version that did not count the rest

    def text(self) -> str:
        """`1.5 kWh, 0.2 kWh of it estimated, 0.45 EUR`."""
        if self.estimated >= 0.999 * self.kwh:
            how = "estimated"
        else:
            how = (
                f"{kwh_text(self.estimated)} of it estimated"
                if self.estimated > 0.005 * self.kwh
                else "measured"
            )
        cost = "" if self.cost is None else f", {self.cost:.2f} {self.currency}"
        by = "" if self.whole else " by the GPU"
        return f"{kwh_text(self.kwh)}{by}, {how}{cost}"


def energy_of(events: Iterable[Event], power: Mapping[str, Any] | None = None) -> Energy | None:
    """What all attempts drew; None where no event tells of it. `power`: what a kWh costs (Settings.power).

    An attempt says itself what it has drawn so far. One of an earlier version only gives `gpu_watts` now and
    then: each reading counts for the time since the one before, and the host beside the card for nothing.
    """
    told: dict[int, tuple[float, float]] = {}
    joules: dict[int, float] = {}
    hours: dict[int, float] = {}
    before: dict[int, float] = {}
    for event in events:
        if event.kind != "train":
            continue
        kwh, watts = _number(event, "attempt_kwh"), _number(event, "gpu_watts")
        if kwh is None and watts is None:
            continue
        gap = event.t - before.get(event.token, event.t)
        known = gap if 0 < gap <= _LONGEST_GAP else 0.0
        before[event.token] = event.t
        hours[event.token] = hours.get(event.token, 0.0) + known / 3600
        if kwh is not None:
            told[event.token] = max(
                told.get(event.token, (0.0, 0.0)), (kwh, _number(event, "attempt_kwh_estimated") or 0.0)
            )
        elif watts is not None:
            joules[event.token] = joules.get(event.token, 0.0) + watts * known
    if not before:
        return None
    older = sum(value for token, value in joules.items() if token not in told) / 3.6e6
    kwh = older + sum(value for value, _ in told.values())
    price, currency = (power or {}).get("price"), str((power or {}).get("currency") or "")
    cost = kwh * price if isinstance(price, int | float) else None
    estimated = sum(value for _, value in told.values())
    return Energy(kwh, sum(hours.values()), estimated, cost, currency, whole=bool(told))


def _number(event: Event, key: str) -> float | None:
    value = event.data.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
