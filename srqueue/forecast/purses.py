"""Budgets of campaigns, as they are spent while a queue is played."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

_LEAST = 1e-6  # seconds, watt hours and less: nothing is left


@dataclass(frozen=True)
class Budget:
    """What tasks may still spend together. `seconds`: of training, all slots added up; `kwh`; `until`:
    seconds from now."""

    seconds: float = math.inf
    kwh: float = math.inf
    until: float = math.inf


@dataclass
class _Purse:
    seconds: float
    kwh: float
    until: float
    at: float = 0.0  # until when it was counted
    running: int = 0
    kw: float = 0.0  # that they draw together


class Purses:
    """What is left of each budget, by its name; moments are seconds from now and never go back."""

    def __init__(self, budgets: Mapping[str, Budget]) -> None:
        self._purses = {name: _Purse(b.seconds, b.kwh, b.until) for name, b in budgets.items()}

    def __contains__(self, name: str | None) -> bool:
        return name in self._purses

    def change(self, name: str, now: float, running: int, kw: float) -> None:
        """So many tasks more (or less) run from now on, and draw so many kW together."""
        purse = self._purses[name]
        passed = now - purse.at
        purse.seconds -= passed * purse.running
        purse.kwh -= passed * purse.kw / 3600
        purse.at, purse.running, purse.kw = now, purse.running + running, purse.kw + kw

    def empty_at(self, name: str) -> float:
        """When it will be spent if all goes on as it does; infinite where it will not be."""
        purse = self._purses[name]
        lasts = min(
            _lasts(purse.seconds, purse.running), _lasts(purse.kwh, max(purse.kw, 0.0) / 3600),
            max(purse.until - purse.at, 0.0),
        )  # fmt: skip
        return purse.at + lasts


def _lasts(left: float, a_second: float) -> float:
    if left <= _LEAST:
        return 0.0
    return left / a_second if a_second > 1e-12 else math.inf
