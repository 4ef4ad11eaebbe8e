"""Energy out of the power that a card reported while it trained."""

from __future__ import annotations

from collections.abc import Iterable

from srqueue.run.events import Event

_LONGEST_GAP = 600.0
"""Seconds between two readings that still belong together."""


def measured_energy(events: Iterable[Event]) -> tuple[float, float] | None:
    """(kWh, hours in which power was measured); None where no event has `gpu_watts`.

    Each reading counts for the time since the one before in the same attempt, also where what was trained
    then was lost: it was spent. What the host drew beside the card is not in it.
    """
    joules = seconds = 0.0
    seen = False
    token, before = -1, 0.0
    for event in events:
        watts = event.data.get("gpu_watts") if event.kind == "train" else None
        if not isinstance(watts, int | float) or isinstance(watts, bool):
            continue
        seen = True
        gap = event.t - before
        if event.token == token and 0 < gap <= _LONGEST_GAP:
            joules, seconds = joules + watts * gap, seconds + gap
        token, before = event.token, event.t
    return (joules / 3.6e6, seconds / 3600) if seen else None
