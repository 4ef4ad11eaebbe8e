"""A limit on what a GPU draws, for as long as a job trains on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from workers.trainer.nvml import find_card

log = logging.getLogger(__name__)


def asked_of(spec: Mapping[str, Any]) -> tuple[float | None, int]:
    """(watts that each of a job's GPUs may draw, None where it does not say; how many GPUs it is to have)."""
    compute = spec.get("compute")
    asked = compute if isinstance(compute, Mapping) else {}
    watts, devices = asked.get("power_limit"), asked.get("devices")
    limit = float(watts) if isinstance(watts, int | float) else None
    return limit, devices if isinstance(devices, int) else 1


@contextmanager
def power_limit(uuids: Sequence[str], watts: float | None, slots: int = 1) -> Iterator[tuple[str, ...]]:
    """Within the block the cards draw no more than that; what they had is given back to them after it. A card
    that jobs of several slots share is left alone.

    Yields what a user should know: where it is not permitted (it wants root, or an open driver) nothing else
    happens. A worker that is killed leaves the limit until the driver is loaded anew.
    """
    before: list[tuple[str, float]] = []
    notes: list[str] = []
    if watts is not None and not uuids:
        notes.append("there is no GPU here whose power could be limited")
    elif watts is not None and slots > 1:
        notes.append("the power of this GPU is not limited for one job: several share it")
    for uuid in uuids if watts is not None and slots == 1 else ():
        card = find_card(uuid)
        had = card.power_limit() if card else None
        if card is None or had is None:
            notes.append("the power of this GPU cannot be limited: its driver tells of no limit")
        elif why := card.limit_power(watts or had):
            notes.append(f"the power of {card.name} was not limited to {watts:g} W: {why}")
        else:
            before.append((uuid, had))
            notes.append(f"{card.name} draws {watts:g} W at most while this job trains")
    try:
        yield tuple(dict.fromkeys(notes))
    finally:
        for uuid, had in before:
            card = find_card(uuid)
            if card and (why := card.limit_power(had)):
                log.warning("the power limit of %s was not set back to %g W: %s", card.name, had, why)
