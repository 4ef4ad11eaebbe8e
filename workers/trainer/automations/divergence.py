"""DivergenceGuard: tells from the losses when a training has gone wrong."""

from __future__ import annotations

from statistics import median
from typing import Any

from srqueue.spec.automations import DivergenceGuardSpec

WINDOW = 50
"""Iterations that are judged together. Fixed: what a user lets print must not influence the training."""

REMEMBERED = 10
"""Windows that say what is usual."""

LEAST = 3
"""Windows before any can be unusual."""

HOPELESS = 10.0
"""A mean loss beyond this for each unit of loss weight never comes back: pictures are in 0..1, and fresh
networks begin below 5."""

NOTHING = 1e-6
"""Losses below this are as good as none; their ratios mean nothing."""


class DivergenceGuard:
    """Judges windows of WINDOW iterations by their mean loss.

    Wrong is a mean that is not finite or hopeless, and, where the guard is enabled, one of more than
    `spike_factor` times the median of the last REMEMBERED windows. `weight`: the sum of the loss weights.
    """

    def __init__(self, spec: DivergenceGuardSpec, weight: float = 1.0) -> None:
        self._spec, self._hopeless = spec, HOPELESS * weight
        self._windows: list[float] = []
        self._sum, self._count = 0.0, 0

    def observe(self, loss: float) -> None:
        """The loss of one iteration, by the weights that the spec gives."""
        self._sum += loss
        self._count += 1

    @property
    def sound(self) -> bool:
        """Whether the window that has begun is neither lost nor hopeless; only then may the run be saved."""
        return self._count == 0 or self._sum / self._count <= self._hopeless  # False for NaN

    def judge(self, iteration: int) -> str | None:
        """What is wrong after `iteration` steps, in words; a whole window is closed."""
        if self._count == 0:
            return None
        mean = self._sum / self._count
        if not mean <= self._hopeless:
            return f"the loss is {mean:g}"
        if iteration % WINDOW:
            return None
        self._sum, self._count = 0.0, 0
        usual = max(NOTHING, median(self._windows)) if len(self._windows) >= LEAST else None
        if self._spec.enabled and usual is not None and mean > self._spec.spike_factor * usual:
            return (
                f"the loss is {mean:.4g}, more than {self._spec.spike_factor:g} times the usual {usual:.4g}"
            )
        self._windows = [*self._windows, mean][-REMEMBERED:]
        return None

    def state_dict(self) -> dict[str, Any]:
        """JSON values, which give floats back bit by bit."""
        return {"windows": self._windows, "sum": self._sum, "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._windows, self._sum, self._count = list(state["windows"]), state["sum"], state["count"]


def window_start(iteration: int) -> int:
    """Steps done when the window began to which step `iteration` (1-based) belongs."""
    return max(0, iteration - 1) // WINDOW * WINDOW
