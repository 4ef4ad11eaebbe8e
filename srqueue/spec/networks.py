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


class ParagonSR2Spec(Frozen):
    """What all ParagonSR2 networks have.

    The defaults mend what that version's initialisation and pre-filter did to the signal;
    `alpha: -0.4, detail_gain: 0.05, layer_scale: 1e-5` is what nano did.
    """

    alpha: float = Field(
        0.4, ge=-1, le=1, description="sharpening before the fixed upsampler; below 0 it blurs"
    )
    detail_gain: float = Field(
        1.0, gt=0, le=10, description="factor on the last convolution's initial weights"
    )
    layer_scale: float = Field(1.0, gt=0, le=1, description="initial value of the LayerScale vectors")


class ParagonSR2NanoSpec(ParagonSR2Spec):
    """ParagonSR2 nano with the tensor names and shapes of 2025-12-01."""

    type: Literal["paragonsr2_nano"] = "paragonsr2_nano"
    act: bool = Field(False, description="LeakyReLU after conv_in and after PixelShuffle; same tensors")


NetworkSpec = Annotated[CompactSpec | ParagonSR2NanoSpec, Field(discriminator="type")]
NETWORK_TYPES = ("compact", "paragonsr2_nano")
