"""Specs of the automations: what watches a run and acts on it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from srqueue.spec.base import Frozen

MonitoredMetric = Literal["val/psnr", "val/ssim", "val/psnr_rgb", "train/loss"]
HIGHER_IS_BETTER: dict[str, bool] = {
    "val/psnr": True,
    "val/ssim": True,
    "val/psnr_rgb": True,
    "train/loss": False,
}
"""`train/loss`: the mean weighted loss of the iterations since the last validation."""

ONE_DB: dict[str, float] = {"val/psnr": 1.0, "val/ssim": 0.005, "val/psnr_rgb": 1.0, "train/loss": 0.0015}
"""About what a metric changes by where PSNR changes by 1 dB. SSIM: from 36.3 to 37.2 dB on Set5
(benchmarks/results/quality.json); a mean absolute error changes by 11 % of its 0.01 to 0.02."""


class LearningRateAutomationSpec(Frozen):
    """Halves the rate when validation no longer gains."""

    enabled: bool = True
    plateau_patience: int = Field(
        1000, ge=1, description="iterations without a gain before a cut, and between two"
    )
    improvement_threshold: float = Field(0.001, ge=0, le=1, description="gain that counts, dB or SSIM")
    min_lr_factor: float = Field(
        0.1, gt=0, le=1, description="the product of all cuts never falls below this"
    )


class EarlyStoppingSpec(Frozen):
    """Ends the run when the monitored metric no longer gains; with a WSD schedule, starts the decay."""

    enabled: bool = True
    patience: int = Field(2000, ge=1, description="iterations without a gain before the end")
    min_improvement: float = Field(0.001, ge=0, le=100, description="gain that counts, in the metric's unit")
    monitor_metric: MonitoredMetric = "val/psnr"


class AdaptiveClippingSpec(Frozen):
    """Clips the gradient at `factor` times its usual norm; what is clipped counts as no more than that.

    It takes the place of `grad_clip` once it has seen `warmup` steps.
    """

    enabled: bool = False
    factor: float = Field(2.0, gt=1, le=100, description="times the usual norm")
    momentum: float = Field(0.99, ge=0, lt=1, description="of the moving average of the norm's logarithm")
    warmup: int = Field(100, ge=1, description="steps before it acts")


class AutomationsSpec(Frozen):
    """What watches the run and acts on it."""

    enabled: bool = False
    IntelligentLearningRateScheduler: LearningRateAutomationSpec = LearningRateAutomationSpec()
    IntelligentEarlyStopping: EarlyStoppingSpec = EarlyStoppingSpec()
    AdaptiveGradientClipping: AdaptiveClippingSpec = AdaptiveClippingSpec()


class DynamicLossSpec(Frozen):
    """Slow adaptation of the loss weights to the gradient that each loss really gives.

    With `auto_calibrate` the given weights are the shares of the gradient that each loss shall have; without
    it the shares that the given weights had at first are kept. The first loss keeps its weight.
    """

    enabled: bool = False
    auto_calibrate: bool = True
    interval: int = Field(100, ge=1, description="iterations between two measurements")
    momentum: float = Field(0.9, ge=0, lt=1, description="of the moving average of a weight's logarithm")
    max_change: float = Field(10.0, ge=1, le=1000, description="a weight stays within given / and * this")


class DivergenceGuardSpec(Frozen):
    """Goes back to the newest checkpoint when the loss explodes, skips those samples, lowers the rate."""

    enabled: bool = True
    spike_factor: float = Field(
        5.0, gt=1, le=1000, description="times the usual loss that counts as an explosion"
    )
    lr_factor: float = Field(0.5, gt=0, le=1, description="on the rate after each roll-back")
    max_rollbacks: int = Field(2, ge=0, le=100, description="the next one ends the run")
