"""What watches a run and acts on it: pure, with a state_dict that lies in every checkpoint."""

from __future__ import annotations

from typing import Any

from srqueue.spec.automations import AutomationsSpec
from workers.trainer.automations.action import Action
from workers.trainer.automations.early_stopping import IntelligentEarlyStopping
from workers.trainer.automations.learning_rate import IntelligentLearningRateScheduler

__all__ = ["Action", "Automations"]


class Automations:
    """The automations that a spec enables, asked after each validation."""

    def __init__(self, spec: AutomationsSpec, warmup_iter: int = 0) -> None:
        rate, stopping = spec.IntelligentLearningRateScheduler, spec.IntelligentEarlyStopping
        self.rate = (
            IntelligentLearningRateScheduler(rate, warmup_iter) if spec.enabled and rate.enabled else None
        )
        self.stopping = (
            IntelligentEarlyStopping(stopping, warmup_iter) if spec.enabled and stopping.enabled else None
        )

    @property
    def lr_factor(self) -> float:
        """What the cuts have left of the learning rate, 0..1."""
        return self.rate.factor if self.rate else 1.0

    @property
    def stopped(self) -> bool:
        """Whether the run should end."""
        return self.stopping is not None and self.stopping.stopped

    def observe(self, iteration: int, metrics: dict[str, float]) -> list[Action]:
        """What is to be done after the validation at `iteration`; the state has already changed."""
        actions = []
        if self.rate and (cut := self.rate.observe(iteration, metrics)):
            actions.append(cut)
            if self.stopping:
                # A new rate deserves its own patience.
                self.stopping.restart(iteration)
        if self.stopping and (end := self.stopping.observe(iteration, metrics)):
            actions.append(end)
        return actions

    def state_dict(self) -> dict[str, Any]:
        """JSON values."""
        parts = {"rate": self.rate, "stopping": self.stopping}
        return {name: part.state_dict() for name, part in parts.items() if part}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        if self.rate and "rate" in state:
            self.rate.load_state_dict(state["rate"])
        if self.stopping and "stopping" in state:
            self.stopping.load_state_dict(state["stopping"])
