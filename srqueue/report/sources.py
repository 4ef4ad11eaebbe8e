"""What a job's events say beside its curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from srqueue.curves import History
from srqueue.run.events import Event


def fingerprints(events: Iterable[Event]) -> list[Mapping[str, Any]]:
    """The numerics fingerprints in the order in which they came."""
    return [event.data for event in events if event.kind == "fingerprint"]


def newest_figures(history: History) -> dict[str, float]:
    """The newest value of every validation metric."""
    return {
        key: curve.last
        for key, curve in history.curves.items()
        if key.startswith(("val/", "bicubic/")) and curve.last is not None
    }


def numbers(raw: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers of a mapping."""
    return {
        str(key): float(value)
        for key, value in raw.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def parsed(lines: Sequence[str]) -> list[Event]:
    """Event lines; what is none is left out."""
    found = []
    for line in lines:
        try:
            found.append(Event.parse(line))
        except (ValueError, KeyError, TypeError):
            continue
    return found
