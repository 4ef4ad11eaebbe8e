"""IntelligentEarlyStopping: ends a run that no longer gains, or begins its decay."""

from __future__ import annotations

from typing import Any

from srqueue.spec.automations import HIGHER_IS_BETTER, EarlyStoppingSpec
from workers.trainer.action import Action
from workers.trainer.automations.plateau import Plateau


class IntelligentEarlyStopping:
    """Acts once, after `patience` iterations without a gain of `min_improvement` in the monitored metric.

    `decays`: the schedule is WSD, so what follows is the decay of the rate and not the end at once.
    """

    def __init__(self, spec: EarlyStoppingSpec, start: int = 0, decays: bool = False) -> None:
        self.spec = spec
        self.stopped = False
        self._did = "started the decay of the learning rate" if decays else "stopped the run"
        self._plateau = Plateau(spec.min_improvement, start, HIGHER_IS_BETTER[spec.monitor_metric])

    def observe(self, iteration: int, metrics: dict[str, float]) -> Action | None:
        """The validation at `iteration`."""
        waited = self._plateau.observe(iteration, metrics[self.spec.monitor_metric])
        if self.stopped or waited < self.spec.patience:
            return None
        self.stopped = True
        return Action(
            by=type(self).__name__,
            did=self._did,
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
