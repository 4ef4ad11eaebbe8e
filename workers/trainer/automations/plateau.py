"""Plateau: how long a value has not gained."""

from __future__ import annotations

from typing import Any


class Plateau:
    """Iterations since the last gain of at least `threshold`; `higher`: whether a gain is a rise.

    The reference moves only with such a gain. So many small gains add up to one that counts, and a slowly
    but steadily rising value is no plateau, while noise below the threshold is one. Nothing is counted
    before iteration `start` (the end of warm-up).
    """

    def __init__(self, threshold: float, start: int, higher: bool = True) -> None:
        self.threshold = threshold
        self.start = start
        self.reference: float | None = None
        self.since = start
        self._sign = 1 if higher else -1

    def observe(self, iteration: int, value: float) -> int:
        """Takes in a value; iterations without a gain."""
        if self.reference is None or self._gained(self._sign * (value - self.reference)):
            self.reference, self.since = value, max(iteration, self.start)
        return max(0, iteration - self.since)

    def _gained(self, gain: float) -> bool:
        return gain > 0 and gain >= self.threshold

    def restart(self, iteration: int) -> None:
        """Counts from `iteration`; the reference stays."""
        self.since = max(iteration, self.start)

    def state_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"reference": self.reference, "since": self.since}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.reference, self.since = state["reference"], state["since"]
