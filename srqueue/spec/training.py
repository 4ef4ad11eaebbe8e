"""Specs of optimizer, schedule, losses and automations: the `train` section of the paper's YAML."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from srqueue.spec.base import Frozen


class AdamWSpec(Frozen):
    """AdamW (Loshchilov and Hutter, 2019)."""

    type: Literal["AdamW"] = "AdamW"
    lr: float = Field(2e-4, gt=0, le=10, description="rate after warm-up, before schedule and automations")
    weight_decay: float = Field(1e-4, ge=0, le=1)
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.99)


class ConstantSpec(Frozen):
    """The rate stays as it is after warm-up; lowering it is left to the automation."""

    type: Literal["constant"] = "constant"


class CosineSpec(Frozen):
    """Half a cosine from the full rate to `min_factor` of it at the last step (SGDR without restarts)."""

    type: Literal["cosine"] = "cosine"
    min_factor: float = Field(0.01, ge=0, le=1, description="share of the rate that is left at the end")


SchedulerSpec = Annotated[ConstantSpec | CosineSpec, Field(discriminator="type")]


class L1Spec(Frozen):
    """Mean absolute error."""

    type: Literal["l1"] = "l1"
    loss_weight: float = Field(1.0, gt=0, le=1000)


class CharbonnierSpec(Frozen):
    """sqrt(d^2 + eps^2), the form of SR (LapSRN, Lai et al. 2017)."""

    type: Literal["charbonnier"] = "charbonnier"
    loss_weight: float = Field(1.0, gt=0, le=1000)
    eps: float = Field(1e-3, gt=0, le=1)


class SsimSpec(Frozen):
    """1 - SSIM (Wang et al. 2004; 11x11 Gaussian of sigma 1.5, valid padding)."""

    type: Literal["ssim"] = "ssim"
    loss_weight: float = Field(1.0, gt=0, le=1000)


LossSpec = Annotated[L1Spec | CharbonnierSpec | SsimSpec, Field(discriminator="type")]

MonitoredMetric = Literal["val/psnr", "val/ssim"]


class LearningRateAutomationSpec(Frozen):
    """Halves the rate when the loss no longer falls."""

    enabled: bool = True
    plateau_patience: int = Field(
        1000, ge=1, description="iterations without a gain before a cut, and between two"
    )
    improvement_threshold: float = Field(0.001, ge=0, le=1, description="gain that counts, dB or SSIM")
    min_lr_factor: float = Field(
        0.1, gt=0, le=1, description="the product of all cuts never falls below this"
    )


class EarlyStoppingSpec(Frozen):
    """Ends the run when validation no longer gains."""

    enabled: bool = True
    patience: int = Field(2000, ge=1, description="iterations without a gain before the end")
    min_improvement: float = Field(0.001, ge=0, le=100, description="gain that counts, dB or SSIM")
    monitor_metric: MonitoredMetric = "val/psnr"


class AutomationsSpec(Frozen):
    """What watches the run and acts on it."""

    enabled: bool = False
    IntelligentLearningRateScheduler: LearningRateAutomationSpec = LearningRateAutomationSpec()
    IntelligentEarlyStopping: EarlyStoppingSpec = EarlyStoppingSpec()


class DynamicLossSpec(Frozen):
    """Slow adaptation of loss weights."""

    enabled: bool = False
    auto_calibrate: bool = True


class TrainSpec(Frozen):
    """The `train` section."""

    total_iter: int = Field(ge=1, le=100_000_000, description="optimizer steps")
    warmup_iter: int = Field(0, ge=0, description="steps in which the rate rises linearly from 0")
    optim_g: AdamWSpec = AdamWSpec()
    scheduler: SchedulerSpec = ConstantSpec()
    losses: tuple[LossSpec, ...] = Field((L1Spec(),), min_length=1)
    ema_decay: float = Field(0.999, ge=0, lt=1, description="0: validate and export the raw weights")
    grad_clip: bool | Annotated[float, Field(gt=0)] = Field(
        False, description="largest gradient norm; true is 1.0, false is none"
    )
    training_automations: AutomationsSpec = AutomationsSpec()
    dynamic_loss_scheduling: DynamicLossSpec = DynamicLossSpec()
