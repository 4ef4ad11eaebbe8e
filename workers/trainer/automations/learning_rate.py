"""IntelligentLearningRateScheduler: halves the learning rate on a plateau."""

from __future__ import annotations

from typing import Any

from srqueue.spec.automations import LearningRateAutomationSpec
from workers.trainer.action import Action
from workers.trainer.automations.plateau import Plateau

METRIC = "val/psnr"
CUT = 0.5


class IntelligentLearningRateScheduler:
    """Cuts the rate by half after `plateau_patience` iterations without a gain, and then waits as long again.

    The cuts multiply what the schedule gives; their product never falls below `min_lr_factor`. It watches the
    validation, not the loss of single batches, whose noise would decide.
    """

    def __init__(self, spec: LearningRateAutomationSpec, start: int = 0) -> None:
        self.spec = spec
        self.factor = 1.0
        self._plateau = Plateau(spec.improvement_threshold, start)

    def observe(self, iteration: int, metrics: dict[str, float]) -> Action | None:
        """The validation at `iteration`."""
        waited = self._plateau.observe(iteration, metrics[METRIC])
        if waited < self.spec.plateau_patience or self.factor <= self.spec.min_lr_factor:
            return None
        before, self.factor = self.factor, max(self.spec.min_lr_factor, self.factor * CUT)
        self._plateau.restart(iteration)
        return Action(
            by=type(self).__name__,
            did=f"lowered the learning rate from {before:g} to {self.factor:g} of its schedule",
            reason=(
                f"{METRIC} has not gained {self.spec.improvement_threshold:g} dB over "
                f"{self._plateau.reference:.4f} dB for {waited} iterations"
            ),
        )

    def state_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"factor": self.factor, "plateau": self._plateau.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.factor = state["factor"]
        self._plateau.load_state_dict(state["plateau"])
