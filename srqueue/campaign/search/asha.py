"""Who goes on from a rung: successive halving, asynchronous and synchronous, a function of what was measured.

Li et al., A System for Massively Parallel Hyperparameter Tuning, 2018 (arXiv 1810.05934), algorithm 2: one
is promoted from rung k where it is among the best floor(n / eta) of the n that have a value there; those that
were promoted before count among them. Jamieson and Talwalkar, 2015 (arXiv 1502.07943): the same, once all are
there.

Beyond the papers: a rung that nobody can reach any more lets at least one go on: a search has a winner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Literal


class Standing(StrEnum):
    """What a trial does at the moment."""

    NEW = "new"  # not begun
    GOING = "going"  # waits for a worker or trains
    WAITS = "waits"  # at a rung
    OVER = "over"  # at its end


@dataclass(frozen=True)
class Trial:
    """One cell of a search. `values`: what it reached by rung (more is better)."""

    id: str
    standing: Standing
    values: Mapping[int, float]


@dataclass(frozen=True)
class Place:
    """Where a trial stands at a rung: the `place`th of `of`."""

    rung: int
    place: int
    of: int


@dataclass(frozen=True)
class Decision:
    """`promoted`: (id, next rung, or None for the end), the most advanced first; `stopped`: who goes on no
    more, and where that was decided."""

    promoted: tuple[tuple[str, int | None], ...]
    stopped: tuple[tuple[str, Place], ...]


def decide(
    trials: Sequence[Trial], rungs: Sequence[int], one_of: int, method: Literal["asha", "halving"]
) -> Decision:
    """What follows from what is known.

    `trials`: all but those that failed, who count nowhere; their order breaks ties and decides nothing else.
    """
    # Who waits below the first rung, because the rungs were changed, goes there first.
    entrants = [t.id for t in trials if t.standing is Standing.WAITS and level(t, rungs) < 0]
    promoted = [(i, rungs[0] if rungs else None) for i in entrants]
    stopped: list[tuple[str, Place]] = []
    may_come = bool(entrants) or any(t.standing is Standing.NEW for t in trials)
    for k, rung in enumerate(rungs):
        may_come = may_come or any(t.standing is Standing.GOING and level(t, rungs) < k for t in trials)
        ranked = ranking(trials, rung)
        share = len(ranked) // one_of
        if not may_come and ranked:
            share = max(share, 1)
        elif method == "halving":
            share = 0
        waiting = {t.id for t in trials if t.standing is Standing.WAITS and level(t, rungs) == k}
        chosen = [i for i in ranked[:share] if i in waiting]
        following = rungs[k + 1] if k + 1 < len(rungs) else None
        promoted = [(i, following) for i in chosen] + promoted
        if not may_come:
            places = enumerate(ranked, 1)
            stopped += [(i, Place(rung, n, len(ranked))) for n, i in places if i in waiting and n > share]
        may_come = may_come or bool(chosen)
    return Decision(tuple(promoted), tuple(stopped))


def level(trial: Trial, rungs: Sequence[int]) -> int:
    """The highest rung, by number, at which it has a value; -1 for none."""
    return max((k for k, rung in enumerate(rungs) if rung in trial.values), default=-1)


def ranking(trials: Sequence[Trial], rung: int) -> list[str]:
    """Ids of those that have a value at the rung, the best first; what is no finite number comes last."""
    there = [t for t in trials if rung in t.values]

    def badness(trial: Trial) -> float:
        value = trial.values[rung]
        return -value if isfinite(value) else float("inf")

    return [trial.id for trial in sorted(there, key=badness)]
