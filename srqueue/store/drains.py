"""Requests to a worker to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

DRAIN_SECONDS = 3600
"""A request is remembered for this long; a worker that Redis did not reach meanwhile goes on."""


class Drain(StrEnum):
    """How a worker ends: its job handed over with a checkpoint, or finished first."""

    HAND_OVER = "hand_over"
    FINISH = "finish"


@dataclass(frozen=True)
class Announced:
    """What a worker learns when it announces itself. Times are UTC s of the Redis server."""

    now: float
    asked_at: float | None = None
    how: Drain | None = None

    @classmethod
    def from_answer(cls, answer: Sequence[str | None]) -> Self:
        """Reads what `announce.lua` returns."""
        now, at, how = answer
        if at is None or how not in tuple(Drain):
            return cls(float(now or 0))
        return cls(float(now or 0), float(at), Drain(how))

    def asked_since(self, moment: float) -> Drain | None:
        """How the worker is to end, where it was asked after `moment`."""
        return self.how if self.asked_at is not None and self.asked_at > moment else None
