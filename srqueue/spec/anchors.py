"""At which iterations a run saves what it may go back to."""

from __future__ import annotations

SHARES = 10
LEAST = 1000
"""Iterations between anchors that are no validations: to do fewer again is cheaper than to save so often."""


def anchor_interval(total_iter: int, val_freq: int) -> int:
    """Iterations between anchors."""
    return min(val_freq, max(LEAST, total_iter // SHARES))
