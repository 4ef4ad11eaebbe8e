"""What a longer run does to the learning rate where it goes on."""

from __future__ import annotations

from srqueue.forecast.schedule import rate_share
from srqueue.spec.training import TrainSpec


def rate_shares(before: TrainSpec, after: TrainSpec, iteration: int) -> tuple[float, float]:
    """(share of the full rate at the last of `iteration` steps, share at the step that follows).

    The first by the schedule of `before`, the second by that of `after`. Warm-up and automations are left
    out.
    """
    return rate_share(before, max(iteration - 1, 0)), rate_share(after, iteration)
