"""DimensionSpec: what one key of a search space may be, and cells that can be drawn from it beforehand."""

from __future__ import annotations

import builtins
import math
from collections.abc import Hashable, Mapping
from itertools import product
from random import Random
from typing import Any, Self

from pydantic import Field, model_validator

from srqueue.spec.base import Frozen

_TRIES = 20
"""Draws for each combination that is wanted: of a small space many are the same."""


class DimensionSpec(Frozen):
    """`{choice: [...]}`, `{uniform: [low, high]}`, `{log: [low, high]}`, `{int: [low, high]}`."""

    choice: tuple[Any, ...] | None = Field(None, min_length=1)
    uniform: tuple[float, float] | None = None
    log: tuple[float, float] | None = Field(None, description="even in the logarithm; above 0")
    int: tuple[builtins.int, builtins.int] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [name for name in ("choice", "uniform", "log", "int") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of choice, uniform, log and int")
        if given[0] != "choice":
            low, high = getattr(self, given[0])
            if not (math.isfinite(low) and math.isfinite(high)):
                raise ValueError("both ends must be finite")
            if low >= high:
                raise ValueError(f"{low} is not below {high}")
            if given[0] == "log" and low <= 0:
                raise ValueError(f"a logarithm needs ends above 0, not {low}")
        return self

    def values(self) -> tuple[Any, ...] | None:
        """Every value where they can be counted, else None."""
        if self.choice is not None:
            return self.choice
        if self.int is not None:
            return tuple(range(self.int[0], self.int[1] + 1))
        return None

    def admits(self, value: Any) -> bool:
        """Whether it is one of them: a journal in Redis may say anything."""
        if self.choice is not None:
            return any(value == one and type(value) is type(one) for one in self.choice)
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        if self.int is not None:
            return isinstance(value, int) and self.int[0] <= value <= self.int[1]
        low, high = self.uniform or self.log or (math.inf, -math.inf)
        return low <= value <= high

    def ends(self) -> tuple[Any, ...]:
        """What to try so that a mistake shows: all choices, or both ends."""
        if self.choice is not None:
            return self.choice
        return self.uniform or self.log or self.int or ()

    def drawn(self, source: Random) -> Any:
        """One value at random. Numbers have four digits: they are to be read."""
        if self.choice is not None:
            return source.choice(self.choice)
        if self.int is not None:
            return source.randint(*self.int)
        if self.log is not None:
            low, high = self.log
            return _short(math.exp(source.uniform(math.log(low), math.log(high))), low, high)
        low, high = self.uniform or (0.0, 1.0)
        return _short(source.uniform(low, high), low, high)


def _short(value: float, low: float, high: float) -> float:
    return min(max(float(f"{value:.4g}"), low), high)


Space = Mapping[str, DimensionSpec]


def admits(space: Space, values: Mapping[str, Any]) -> bool:
    """Whether `values` has a value for each dimension, each one of its own, and none besides."""
    return values.keys() == space.keys() and all(one.admits(values[key]) for key, one in space.items())


def grid(space: Space) -> list[dict[str, Any]]:
    """Every combination; only of dimensions whose values can be counted."""
    return [
        dict(zip(space, row, strict=True)) for row in product(*(one.values() or () for one in space.values()))
    ]


def at_random(space: Space, trials: int, seed: int) -> list[dict[str, Any]]:
    """So many different combinations, where there are so many. More trials leave the earlier ones alone."""
    found: dict[Hashable, dict[str, Any]] = {}
    for number in range(_TRIES * trials):
        source = Random(f"{seed}:{number}")
        row = {key: one.drawn(source) for key, one in space.items()}
        found.setdefault(_hashable(row), row)
        if len(found) == trials:
            break
    return list(found.values())


def _hashable(value: Any) -> Hashable:
    """Equal where the values are: choices may be mappings and lists."""
    if isinstance(value, Mapping):
        return "mapping", frozenset((key, _hashable(one)) for key, one in value.items())
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(map(_hashable, value))
    return value if isinstance(value, Hashable) else repr(value)


def corners(space: Space) -> list[dict[str, Any]]:
    """Combinations in which every end and every choice stands: they are tried before anything is queued."""
    ends = {key: one.ends() for key, one in space.items()}
    return [
        {key: values[min(i, len(values) - 1)] for key, values in ends.items()}
        for i in range(max(map(len, ends.values()), default=0))
    ]
