"""What watches a run and acts on it: pure, with a state_dict that lies in every checkpoint.

Clipping (`gradient_clipping`) is apart: it works on the device, and its state are tensors.
"""

from __future__ import annotations

from typing import Any, Protocol

from srqueue.spec.training import TrainSpec
from workers.trainer.action import Action
from workers.trainer.automations.divergence import DivergenceGuard
from workers.trainer.automations.dynamic_loss import DynamicLossScheduling
from workers.trainer.automations.early_stopping import IntelligentEarlyStopping
from workers.trainer.automations.learning_rate import IntelligentLearningRateScheduler
from workers.trainer.stop_rules import StopRules

__all__ = ["Action", "Automations"]

PSNR = "val/psnr"


class _Stateful(Protocol):
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any], /) -> None: ...


class Automations:
    """The automations of a training, those that its spec disables left out. `names`: of the losses;
    `stops`: what the user said that ends it."""

    def __init__(self, train: TrainSpec, names: list[str], stops: StopRules | None = None) -> None:
        self.stops = stops or StopRules(())
        spec, start = train.training_automations, train.warmup_iter
        rate, stopping = spec.IntelligentLearningRateScheduler, spec.IntelligentEarlyStopping
        dynamic = train.dynamic_loss_scheduling
        self.decays = train.scheduler.type == "wsd"
        self.rate = IntelligentLearningRateScheduler(rate, start) if spec.enabled and rate.enabled else None
        self.stopping = (
            IntelligentEarlyStopping(stopping, start, self.decays)
            if spec.enabled and stopping.enabled
            else None
        )
        given = [loss.loss_weight for loss in train.losses]
        self.losses = (
            DynamicLossScheduling(dynamic, names, given) if dynamic.enabled and len(given) > 1 else None
        )
        self._given = given
        self.guard = DivergenceGuard(train.divergence_guard, sum(given))

    @property
    def lr_factor(self) -> float:
        """What the cuts have left of the learning rate, 0..1."""
        return self.rate.factor if self.rate else 1.0

    @property
    def stopped(self) -> bool:
        """Whether the run should end, or with WSD decay."""
        return self.stopping is not None and self.stopping.stopped

    @property
    def best_by(self) -> str:
        """The validation's metric by which weights are the best: what early stopping watches, else PSNR.

        All of them are better when higher. `train/loss` is none: it is not of the weights that are kept.
        """
        watched = self.stopping.spec.monitor_metric if self.stopping else PSNR
        return watched if watched.startswith("val/") else PSNR

    @property
    def loss_weights(self) -> list[float]:
        """The weights to train with; the list changes with them."""
        return self.losses.weights if self.losses else self._given

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
        return {name: part.state_dict() for name, part in self._parts()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`; what it lacks stays as it is."""
        for name, part in self._parts():
            if name in state:
                part.load_state_dict(state[name])

    def _parts(self) -> list[tuple[str, _Stateful]]:
        parts: dict[str, _Stateful | None] = {
            "rate": self.rate,
            "stopping": self.stopping,
            "losses": self.losses,
            "guard": self.guard,
            "stops": self.stops if self.stops.rules else None,
        }
        return [(name, part) for name, part in parts.items() if part is not None]
