"""What a longer run does to the learning rate where it goes on."""

from __future__ import annotations

import math

from srqueue.spec.training import TrainSpec


def rate_shares(before: TrainSpec, after: TrainSpec, iteration: int) -> tuple[float, float]:
    """(share of the full rate at the last of `iteration` steps, share at the step that follows).

    The first by the schedule of `before`, the second by that of `after`. Warm-up and automations are left
    out. The formulas are the trainer's.
    """
    return _share(before, max(iteration - 1, 0)), _share(after, iteration)


def _share(train: TrainSpec, iteration: int) -> float:
    """Share of the rate, 0..1, of the step that follows `iteration` steps done."""
    schedule = train.scheduler
    if schedule.type == "cosine":
        steps = train.total_iter - train.warmup_iter
        progress = min(1.0, max(0, iteration - train.warmup_iter) / max(1, steps - 1))
        return schedule.min_factor + (1 - schedule.min_factor) * (1 + math.cos(math.pi * progress)) / 2
    if schedule.type == "wsd":
        length = max(1, round(schedule.decay_share * train.total_iter))
        progress = min(1.0, max(0, iteration - (train.total_iter - length) + 1) / length)
        left = 1 - (math.sqrt(progress) if schedule.shape == "sqrt" else progress)
        return schedule.min_factor + (1 - schedule.min_factor) * left
    if schedule.type == "multistep":
        return float(schedule.gamma ** sum(m <= iteration for m in schedule.milestones))
    return 1.0
