"""The share of the full learning rate over a run, as the trainer's formulas have it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from srqueue.spec.schedules import WsdSpec
from srqueue.spec.training import TrainSpec


def rate_share(train: TrainSpec, iteration: int, decay_from: int | None = None) -> float:
    """Share of the rate, 0..1, of the step that follows `iteration` steps done; without warm-up.

    `decay_from`: steps done when early stopping began the decay of a WSD schedule; others ignore it.
    """
    schedule = train.scheduler
    if schedule.type == "cosine":
        steps = train.total_iter - train.warmup_iter
        progress = min(1.0, max(0, iteration - train.warmup_iter) / max(1, steps - 1))
        return schedule.min_factor + (1 - schedule.min_factor) * (1 + math.cos(math.pi * progress)) / 2
    if schedule.type == "wsd":
        length = decay_steps(schedule, train.total_iter)
        begins = train.total_iter - length
        begins = begins if decay_from is None else min(decay_from, begins)
        progress = min(1.0, max(0, iteration - begins + 1) / length)
        left = 1 - (math.sqrt(progress) if schedule.shape == "sqrt" else progress)
        return schedule.min_factor + (1 - schedule.min_factor) * left
    if schedule.type == "multistep":
        return float(schedule.gamma ** sum(m <= iteration for m in schedule.milestones))
    return 1.0


def warmed_share(train: TrainSpec, iteration: int, decay_from: int | None = None) -> float:
    """The same with warm-up: what the rate of that step is to the full one."""
    warm = min(1.0, (iteration + 1) / train.warmup_iter) if train.warmup_iter else 1.0
    return warm * rate_share(train, iteration, decay_from)


def last_iteration(train: TrainSpec, decay_from: int | None = None) -> int:
    """Steps after which the run ends: all, or where a decay that was begun early has ended."""
    if train.scheduler.type != "wsd" or decay_from is None:
        return train.total_iter
    length = decay_steps(train.scheduler, train.total_iter)
    return min(decay_from, train.total_iter - length) + length


def areas(at: Sequence[int], shares: Sequence[float]) -> list[float]:
    """The area under the shares from 0 to each iteration (trapezoids): how far training has come.

    What a step at a lower rate moves counts as less. `at` rises.
    """
    found, area, before, share = [], 0.0, 0, shares[0] if shares else 1.0
    for iteration, now in zip(at, shares, strict=True):
        area += (iteration - before) * (share + now) / 2
        before, share = iteration, now
        found.append(area)
    return found


def decay_steps(schedule: WsdSpec, total: int) -> int:
    """Iterations that the decay of a WSD schedule takes."""
    return max(1, round(schedule.decay_share * total))
