"""Action: what an automation did, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """Goes as it is into an `action` event and into the run's decision log."""

    by: str
    did: str
    reason: str
