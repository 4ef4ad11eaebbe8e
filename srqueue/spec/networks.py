"""Specs of the networks: one class an architecture, told apart by `type`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from srqueue.spec.base import Frozen


class CompactSpec(Frozen):
    """Plain 3x3 convolutions with LeakyReLU, PixelShuffle and a bicubic skip."""

    type: Literal["compact"] = "compact"
    num_feat: int = Field(32, ge=1, le=512, description="channels of the body")
    num_conv: int = Field(4, ge=0, le=64, description="3x3 convolutions between the first and the last")


class ParagonSR2NanoSpec(Frozen):
    """ParagonSR2 nano with the tensor names and shapes of 2025-12-01.

    The defaults mend what that version's initialisation and pre-filter did to the signal;
    `alpha: -0.4, detail_gain: 0.05, layer_scale: 1e-5` is what it did.
    """

    type: Literal["paragonsr2_nano"] = "paragonsr2_nano"
    alpha: float = Field(
        0.4, ge=-1, le=1, description="sharpening before the fixed upsampler; below 0 it blurs"
    )
    detail_gain: float = Field(
        1.0, gt=0, le=10, description="factor on the last convolution's initial weights"
    )
    layer_scale: float = Field(1.0, gt=0, le=1, description="initial value of the LayerScale vectors")


NetworkSpec = Annotated[CompactSpec | ParagonSR2NanoSpec, Field(discriminator="type")]
NETWORK_TYPES = ("compact", "paragonsr2_nano")
