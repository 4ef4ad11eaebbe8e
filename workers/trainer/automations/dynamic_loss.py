"""DynamicLossScheduling: moves the loss weights toward given shares of the gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from srqueue.spec.automations import DynamicLossSpec
from workers.trainer.action import Action

TOLD = 0.05
"""Change of a weight since it was last told that is worth an event."""


class DynamicLossScheduling:
    """The weights of several losses, from measurements of what each gives to the gradient.

    The share of a loss is its weight times the norm of its gradient. With `auto_calibrate` the shares shall
    be in proportion to the given weights, else as they were at the first measurement. The first loss keeps
    its weight, which keeps the meaning of the learning rate; the logarithms of the others move toward what
    they should be by `momentum`, within given / max_change .. given * max_change.
    """

    def __init__(self, spec: DynamicLossSpec, names: Sequence[str], given: Sequence[float]) -> None:
        self._spec, self._names, self._given = spec, list(names), list(given)
        self.interval = spec.interval
        self.weights = list(given)
        self._told = list(given)
        self._shares: list[float] | None = list(given) if spec.auto_calibrate else None

    def observe(self, norms: Sequence[float]) -> Action | None:
        """Norm of each loss's gradient, without its weight; an Action where the weights have really moved."""
        if len(self._given) == 1 or not all(map(math.isfinite, norms)) or norms[0] <= 0:
            return None
        found = [weight * norm for weight, norm in zip(self.weights, norms, strict=True)]
        if self._shares is None:
            self._shares = found
        for i in range(1, len(self.weights)):
            if found[i] > 0 and self._shares[i] > 0:
                self._move(i, found[0] / norms[i] * self._shares[i] / self._shares[0])
        return self._action(found)

    def _move(self, i: int, wanted: float) -> None:
        spec, given = self._spec, self._given[i]
        moved = spec.momentum * math.log(self.weights[i]) + (1 - spec.momentum) * math.log(wanted)
        self.weights[i] = min(max(math.exp(moved), given / spec.max_change), given * spec.max_change)

    def _action(self, found: list[float]) -> Action | None:
        changed = [i for i, w in enumerate(self.weights) if abs(w / self._told[i] - 1) > TOLD]
        if not changed or self._shares is None:
            return None
        did = ", ".join(f"{self._names[i]} {self._told[i]:.3g} -> {self.weights[i]:.3g}" for i in changed)
        why = ", ".join(
            f"{self._names[i]} gives {found[i] / found[0]:.3g} of the gradient of {self._names[0]}, "
            f"{self._shares[i] / self._shares[0]:.3g} is wanted"
            for i in changed
        )
        for i in changed:
            self._told[i] = self.weights[i]
        return Action(by=type(self).__name__, did=f"moved the loss weights: {did}", reason=why)

    def state_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"weights": list(self.weights), "told": list(self._told), "shares": self._shares}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.weights, self._told, self._shares = list(state["weights"]), list(state["told"]), state["shares"]
