"""TrainSpec: the `train` section of the paper's YAML."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from srqueue.spec.automations import AutomationsSpec, DivergenceGuardSpec, DynamicLossSpec
from srqueue.spec.base import Frozen
from srqueue.spec.losses import L1Spec, LossSpec
from srqueue.spec.optimizers import AdamWSpec, OptimizerSpec
from srqueue.spec.schedules import ConstantSpec, SchedulerSpec


class TrainSpec(Frozen):
    """The `train` section."""

    total_iter: int = Field(ge=1, le=100_000_000, description="optimizer steps")
    warmup_iter: int = Field(0, ge=0, description="steps in which the rate rises linearly from 0")
    optim_g: OptimizerSpec = AdamWSpec()
    scheduler: SchedulerSpec = ConstantSpec()
    losses: tuple[LossSpec, ...] = Field((L1Spec(),), min_length=1)
    ema_decay: float = Field(0.999, ge=0, lt=1, description="0: validate and export the raw weights")
    grad_clip: bool | Annotated[float, Field(gt=0)] = Field(
        False, description="largest gradient norm; true is 1.0, false is none"
    )
    training_automations: AutomationsSpec = AutomationsSpec()
    dynamic_loss_scheduling: DynamicLossSpec = DynamicLossSpec()
    divergence_guard: DivergenceGuardSpec = DivergenceGuardSpec()

    @model_validator(mode="after")
    def _lengths_fit(self) -> Self:
        """Whatever is longer than the run could never act: that is a mistake, not a wish."""
        total = self.total_iter
        automations = self.training_automations
        rate, stopping = automations.IntelligentLearningRateScheduler, automations.IntelligentEarlyStopping
        if self.warmup_iter >= total:
            raise ValueError(
                f"train.warmup_iter ({self.warmup_iter}) must be less than train.total_iter ({total})"
            )
        patiences = {
            "IntelligentLearningRateScheduler.plateau_patience": rate.enabled and rate.plateau_patience,
            "IntelligentEarlyStopping.patience": stopping.enabled and stopping.patience,
        }
        for name, patience in patiences.items():
            if automations.enabled and patience > total:
                raise ValueError(f"{name} ({patience}) is longer than train.total_iter ({total})")
        clipping, dynamic = automations.AdaptiveGradientClipping, self.dynamic_loss_scheduling
        beginnings = {
            "AdaptiveGradientClipping.warmup": automations.enabled and clipping.enabled and clipping.warmup,
            "dynamic_loss_scheduling.interval": dynamic.enabled and dynamic.interval,
        }
        for name, steps in beginnings.items():
            if steps > max(total - 1, 1):
                raise ValueError(f"{name} ({steps}) must be less than train.total_iter ({total})")
        if self.scheduler.type == "multistep" and self.scheduler.milestones[-1] >= total:
            last = self.scheduler.milestones[-1]
            raise ValueError(f"scheduler.milestones ({last}) must be less than train.total_iter ({total})")
        if self.optim_g.type == "ScheduleFreeAdamW" and (self.ema_decay or self.scheduler.type != "constant"):
            raise ValueError(
                "the optimizer ScheduleFreeAdamW keeps its own average and lowers no rate: "
                "it wants ema_decay: 0 and scheduler: {type: constant}"
            )
        return self
