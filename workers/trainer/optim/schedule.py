"""The learning rate as a pure function of the iteration."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from srqueue.spec.schedules import ConstantSpec, CosineSpec
from srqueue.spec.training import TrainSpec


def constant(spec: ConstantSpec, progress: float) -> float:
    """The full rate throughout."""
    return 1.0


def cosine(spec: CosineSpec, progress: float) -> float:
    """Half a cosine from 1 to `min_factor` (SGDR without restarts; Loshchilov and Hutter, 2017)."""
    return spec.min_factor + (1 - spec.min_factor) * (1 + math.cos(math.pi * progress)) / 2


SCHEDULES: dict[str, Callable[[Any, float], float]] = {
    "constant": constant,
    "cosine": cosine,
}
"""By the spec's `type`: (spec, progress after warm-up in 0..1) -> factor on the rate."""


def learning_rate(spec: TrainSpec, iteration: int, factor: float = 1.0) -> float:
    """Rate of the step that follows `iteration` steps done; `factor` is what the automations left of it.

    Linear from 1/warmup to 1 in the first `warmup_iter` steps, then the schedule, which reaches its end at
    the last step.
    """
    rate = spec.optim_g.lr * factor
    if iteration < spec.warmup_iter:
        return rate * (iteration + 1) / spec.warmup_iter
    steps = spec.total_iter - spec.warmup_iter
    progress = (iteration - spec.warmup_iter) / max(1, steps - 1)
    return rate * SCHEDULES[spec.scheduler.type](spec.scheduler, min(1.0, progress))
