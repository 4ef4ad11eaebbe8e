"""Specs of the optimizers, told apart by `type`, as `train.optim_g` names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from srqueue.spec.base import Frozen

Rate = Annotated[float, Field(gt=0, le=10, description="rate after warm-up, before schedule and automations")]
Betas = tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]
Decay = Annotated[float, Field(ge=0, le=1)]


class AdamWSpec(Frozen):
    """AdamW (Loshchilov and Hutter, 2019)."""

    type: Literal["AdamW"] = "AdamW"
    lr: Rate = 2e-4
    weight_decay: Decay = 1e-4
    betas: Betas = (0.9, 0.99)


class AdamSpec(Frozen):
    """Adam (Kingma and Ba, 2015); weight decay is added to the gradient."""

    type: Literal["Adam"] = "Adam"
    lr: Rate = 2e-4
    weight_decay: Decay = 0.0
    betas: Betas = (0.9, 0.99)


class MuonSpec(Frozen):
    """Muon (Jordan et al., 2024) for the inner convolutions, AdamW for everything else.

    A filter bank is seen as the matrix [out, in * kh * kw]; its update is scaled to AdamW's size
    (Liu et al., 2025), so that one rate serves both.
    """

    type: Literal["Muon"] = "Muon"
    lr: Rate = 2e-3
    weight_decay: Decay = 0.0
    momentum: float = Field(0.95, ge=0, lt=1)
    betas: Betas = Field((0.9, 0.99), description="of AdamW, for what is no inner convolution")


class SoapSpec(Frozen):
    """SOAP (Vyas et al., 2024) for the convolutions, AdamW for everything else.

    Adam in the eigenbasis of the gradients' covariances, a filter bank seen as [out, in * kh * kw].
    """

    type: Literal["SOAP"] = "SOAP"
    lr: Rate = 8e-3
    weight_decay: Decay = 0.0
    betas: Betas = (0.95, 0.99)
    covariance_beta: float = Field(0.95, ge=0, lt=1, description="of the covariances' moving average")
    refresh: int = Field(20, ge=1, description="steps between two refreshes of the basis")
    adamw_factor: float = Field(0.25, gt=0, le=10, description="AdamW's share of the rate")


class ScheduleFreeSpec(Frozen):
    """Schedule-free AdamW (Defazio et al., 2024): averages instead of lowering the rate.

    It wants `scheduler: {type: constant}` and `ema_decay: 0`, since it keeps an average of its own.
    """

    type: Literal["ScheduleFreeAdamW"] = "ScheduleFreeAdamW"
    lr: Rate = 2.5e-3
    weight_decay: Decay = 0.0
    betas: tuple[Annotated[float, Field(gt=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.99)


def _default_type(value: Any) -> Any:
    """The paper names no type: it means AdamW."""
    return {"type": "AdamW", **value} if isinstance(value, Mapping) and "type" not in value else value


OptimizerSpec = Annotated[
    AdamWSpec | AdamSpec | MuonSpec | SoapSpec | ScheduleFreeSpec,
    Field(discriminator="type"),
    BeforeValidator(_default_type),
]
