"""The learning rate as a pure function of the iteration and of what the automations decided."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from srqueue.spec.schedules import ConstantSpec, CosineSpec, MultiStepSpec, WsdSpec
from srqueue.spec.training import TrainSpec


def constant(schedule: ConstantSpec, train: TrainSpec, iteration: int, decay_from: int | None) -> float:
    """The full rate throughout."""
    return 1.0


def cosine(schedule: CosineSpec, train: TrainSpec, iteration: int, decay_from: int | None) -> float:
    """Half a cosine from 1 to `min_factor` (SGDR without restarts; Loshchilov and Hutter, 2017)."""
    if iteration < train.warmup_iter:
        return 1.0
    steps = train.total_iter - train.warmup_iter
    progress = min(1.0, (iteration - train.warmup_iter) / max(1, steps - 1))
    return schedule.min_factor + (1 - schedule.min_factor) * (1 + math.cos(math.pi * progress)) / 2


def multistep(schedule: MultiStepSpec, train: TrainSpec, iteration: int, decay_from: int | None) -> float:
    """Times `gamma` once for each milestone m of which m steps are done, in warm-up too."""
    return float(schedule.gamma ** bisect_right(schedule.milestones, iteration))


def wsd(schedule: WsdSpec, train: TrainSpec, iteration: int, decay_from: int | None) -> float:
    """1, then down to `min_factor` at the last step (Hu et al., 2024).

    The first step of the decay has already gone 1 / D of the way, where D is the number of its steps. Shape
    `sqrt`: 1 - sqrt(progress) (Haegele et al., 2024).
    """
    length = decay_steps(schedule, train)
    done = iteration - _decay_start(length, train, decay_from) + 1
    if done <= 0:
        return 1.0
    progress = min(1.0, done / length)
    left = 1 - (math.sqrt(progress) if schedule.shape == "sqrt" else progress)
    return schedule.min_factor + (1 - schedule.min_factor) * left


SCHEDULES: dict[str, Callable[[Any, TrainSpec, int, int | None], float]] = {
    "constant": constant,
    "cosine": cosine,
    "multistep": multistep,
    "wsd": wsd,
}
"""By the spec's `type`: (its spec, train, iteration, decay_from) -> factor 0..1 on the rate."""


def learning_rate(
    spec: TrainSpec, iteration: int, factor: float = 1.0, decay_from: int | None = None
) -> float:
    """Rate of the step that follows `iteration` steps done.

    Linear from 1/warmup to 1 in the first `warmup_iter` steps, times the schedule, which reaches its end at
    the last step. `factor` is what the automations left of the rate; `decay_from` is the number of steps done
    when early stopping began the decay of a WSD schedule (others ignore it).
    """
    rate = spec.optim_g.lr * factor
    if iteration < spec.warmup_iter:
        rate = rate * (iteration + 1) / spec.warmup_iter
    return rate * SCHEDULES[spec.scheduler.type](spec.scheduler, spec, iteration, decay_from)


def last_iteration(spec: TrainSpec, decay_from: int | None = None) -> int:
    """Number of steps after which the run ends: `total_iter`, or where a decay begun early has ended."""
    if spec.scheduler.type != "wsd":
        return spec.total_iter
    length = decay_steps(spec.scheduler, spec)
    return _decay_start(length, spec, decay_from) + length


def decays(spec: TrainSpec, iteration: int, decay_from: int | None = None) -> bool:
    """Whether the rate of a WSD schedule is being lowered to its end after so many steps; others never do."""
    if spec.scheduler.type != "wsd":
        return False
    return iteration >= _decay_start(decay_steps(spec.scheduler, spec), spec, decay_from)


def decay_steps(schedule: WsdSpec, train: TrainSpec) -> int:
    """Iterations that the decay takes."""
    return max(1, round(schedule.decay_share * train.total_iter))


def _decay_start(length: int, train: TrainSpec, decay_from: int | None) -> int:
    """Steps done when the decay begins; one that is asked for after it has begun changes nothing."""
    latest = train.total_iter - length
    return latest if decay_from is None else min(decay_from, latest)
