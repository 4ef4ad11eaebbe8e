"""Specs of the learning-rate schedules, told apart by `type`, as `train.scheduler` names them."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from srqueue.spec.base import Frozen


class ConstantSpec(Frozen):
    """The rate stays as it is after warm-up; lowering it is left to the automation."""

    type: Literal["constant"] = "constant"


class CosineSpec(Frozen):
    """Half a cosine from the full rate to `min_factor` of it at the last step (SGDR without restarts)."""

    type: Literal["cosine"] = "cosine"
    min_factor: float = Field(0.01, ge=0, le=1, description="share of the rate that is left at the end")


class MultiStepSpec(Frozen):
    """The rate is multiplied by `gamma` at each milestone."""

    type: Literal["multistep"] = "multistep"
    milestones: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1, description="iterations")
    gamma: float = Field(0.5, gt=0, lt=1)

    @model_validator(mode="after")
    def _rise(self) -> Self:
        if any(b <= a for a, b in pairwise(self.milestones)):
            raise ValueError("milestones must rise")
        return self


class WsdSpec(Frozen):
    """Warm-up, stable, decay (Hu et al., 2024): full rate, then down to `min_factor` over the last share.

    Early stopping does not end such a run: it starts the decay.
    """

    type: Literal["wsd"] = "wsd"
    decay_share: float = Field(0.2, gt=0, le=1, description="share of total_iter that the decay takes")
    shape: Literal["linear", "sqrt"] = Field("linear", description="sqrt: 1 - sqrt(progress)")
    min_factor: float = Field(0.0, ge=0, le=1, description="share of the rate that is left at the end")


SchedulerSpec = Annotated[ConstantSpec | CosineSpec | MultiStepSpec | WsdSpec, Field(discriminator="type")]
