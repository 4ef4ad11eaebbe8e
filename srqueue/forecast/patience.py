"""How long a plateau's patience lasts: the trainer's early stopping and rate cuts, told ahead of time.

`Patience` counts as workers.trainer.automations.plateau does (a test holds them together); the trainer's
own is not imported, since a forecast is made where no torch is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from srqueue.spec.training import TrainSpec

_CUT = 0.5  # workers.trainer.automations.learning_rate.CUT
_FORETOLD = ("val/psnr", "val/psnr_rgb")


@dataclass
class Patience:
    """Iterations since the last gain of at least `threshold`; none are counted before `start`."""

    threshold: float
    start: int
    reference: float | None = None
    since: int = 0

    def observe(self, iteration: int, value: float) -> int:
        """Takes in a value; iterations without a gain."""
        gain = None if self.reference is None else value - self.reference
        if gain is None or (gain > 0 and gain >= self.threshold):
            self.reference, self.since = value, max(iteration, self.start)
        return max(0, iteration - max(self.since, self.start))

    def restart(self, iteration: int) -> None:
        """Counts from `iteration`; the reference stays."""
        self.since = max(iteration, self.start)


@dataclass
class Automata:
    """What of the automations ends a run or lowers its rate. `factor`: what cuts have left of the rate."""

    train: TrainSpec
    stopping: Patience | None = None
    cutting: Patience | None = None
    factor: float = 1.0

    @classmethod
    def of(cls, train: TrainSpec) -> Self:
        """As at the start of a run; one that watches something else than PSNR is not foretold."""
        spec, start = train.training_automations, train.warmup_iter
        rate, stop = spec.IntelligentLearningRateScheduler, spec.IntelligentEarlyStopping
        stops = spec.enabled and stop.enabled and stop.monitor_metric in _FORETOLD
        cuts = spec.enabled and rate.enabled
        return cls(
            train,
            Patience(stop.min_improvement, start) if stops else None,
            Patience(rate.improvement_threshold, start) if cuts else None,
        )

    def copy(self) -> Automata:
        """One that can be played on from here."""
        return replace(
            self,
            stopping=replace(self.stopping) if self.stopping else None,
            cutting=replace(self.cutting) if self.cutting else None,
        )

    def seen(self, validations: Iterable[tuple[int, float]]) -> Self:
        """After the (iteration, dB) that have been."""
        for iteration, value in validations:
            self.observe(iteration, value)
        return self

    def observe(self, iteration: int, psnr: float) -> bool:
        """Whether early stopping acts after this validation."""
        spec = self.train.training_automations
        if self.cutting is not None:
            rate, waited = spec.IntelligentLearningRateScheduler, self.cutting.observe(iteration, psnr)
            if waited >= rate.plateau_patience and self.factor > rate.min_lr_factor:
                self.factor = max(rate.min_lr_factor, self.factor * _CUT)
                self.cutting.restart(iteration)
                if self.stopping is not None:
                    self.stopping.restart(iteration)
        if self.stopping is None:
            return False
        return self.stopping.observe(iteration, psnr) >= spec.IntelligentEarlyStopping.patience
