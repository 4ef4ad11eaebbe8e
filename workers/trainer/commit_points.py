"""The points of a commit between which a process may die, by name: `srqueue verify-resume` dies at each.

A power cut cannot be tried here, the end of a process can. Nothing is armed unless a test arms it.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

COMMIT_POINTS = (
    "begun",
    "payload written",
    "payload synced",
    "manifest written",
    "manifest synced",
    "folder synced",
    "renamed",
    "committed",
)
"""In order. Before "renamed" the checkpoint is absent, from then on it is whole."""


@dataclass
class Death:
    """SIGKILL to this process at a point of its `commit`-th commit (1-based)."""

    commit: int
    point: str
    seen: int = 0


_armed: list[Death] = []


def arm(commit: int, point: str) -> None:
    """This process will end at that point. Raises ValueError where there is no such point."""
    if point not in COMMIT_POINTS:
        raise ValueError(f"{point!r} is none of {', '.join(COMMIT_POINTS)}")
    _armed.append(Death(commit, point))


def reached(point: str) -> None:
    """Called by the commit as it gets there."""
    for death in _armed:
        death.seen += point == "begun"
        if death.seen == death.commit and point == death.point:
            os.kill(os.getpid(), signal.SIGKILL)
