"""IntelligentEarlyStopping: ends a run that no longer gains."""

from __future__ import annotations

from typing import Any

from srqueue.spec.automations import EarlyStoppingSpec
from workers.trainer.automations.action import Action
from workers.trainer.automations.plateau import Plateau


class IntelligentEarlyStopping:
    """Stops after `patience` iterations without a gain of `min_improvement` in the monitored metric."""

    def __init__(self, spec: EarlyStoppingSpec, start: int = 0) -> None:
        self.spec = spec
        self.stopped = False
        self._plateau = Plateau(spec.min_improvement, start)

    def observe(self, iteration: int, metrics: dict[str, float]) -> Action | None:
        """The validation at `iteration`."""
        waited = self._plateau.observe(iteration, metrics[self.spec.monitor_metric])
        if self.stopped or waited < self.spec.patience:
            return None
        self.stopped = True
        return Action(
            by=type(self).__name__,
            did="stopped the run",
            reason=(
                f"{self.spec.monitor_metric} has not gained {self.spec.min_improvement:g} over "
                f"{self._plateau.reference:.4f} for {waited} iterations (patience {self.spec.patience})"
            ),
        )

    def restart(self, iteration: int) -> None:
        """Counts the patience from `iteration`."""
        self._plateau.restart(iteration)

    def state_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"stopped": self.stopped, "plateau": self._plateau.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.stopped = state["stopped"]
        self._plateau.load_state_dict(state["plateau"])
