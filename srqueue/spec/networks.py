"""Specs of the networks: one class an architecture, told apart by `type`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, JsonValue

from srqueue.spec.base import Frozen

SPANDREL = "spandrel"
"""`type: spandrel:NAME` is short for `type: spandrel` with `name: NAME`."""


class CompactSpec(Frozen):
    """Plain 3x3 convolutions with LeakyReLU, PixelShuffle and a bicubic skip."""

    type: Literal["compact"] = "compact"
    num_feat: int = Field(32, ge=1, le=512, description="channels of the body")
    num_conv: int = Field(4, ge=0, le=64, description="3x3 convolutions between the first and the last")


class EdsrSpec(Frozen):
    """EDSR (Lim et al., 2017); by default the baseline; the preset `edsr_full` is the large one."""

    type: Literal["edsr"] = "edsr"
    num_feat: int = Field(64, ge=1, le=512, description="channels of the body")
    num_block: int = Field(16, ge=1, le=128, description="residual blocks of two 3x3 convolutions each")
    res_scale: float = Field(
        1.0, gt=0, le=1, description="factor on what a block adds; 0.1 with 256 channels"
    )


class SpanSpec(Frozen):
    """SPAN (Wan et al., 2024), in the plain form that it has after training."""

    type: Literal["span"] = "span"
    num_feat: int = Field(48, ge=1, le=512, description="channels; the paper's SPAN has 52, its SPAN-S 48")
    num_block: int = Field(6, ge=1, le=32, description="blocks of three 3x3 convolutions each")


def _detail_gain(default: float) -> Any:
    """The deeper a network, the larger its features: the default keeps the first details below the base."""
    return Field(default, gt=0, le=10, description="factor on the last convolution's initial weights")


class ParagonSR2Spec(Frozen):
    """What all ParagonSR2 networks have.

    The defaults mend what the originals' initialisation and pre-filter did to the signal. `originals` has
    what each of them did, but for borders (zeros there, replicated here) and the order of initial filters.
    """

    type: str
    act: bool = Field(False, description="LeakyReLU after conv_in and after PixelShuffle; same tensors")
    alpha: float = Field(
        0.4, ge=-1, le=1, description="sharpening before the fixed upsampler; below 0 it blurs"
    )
    detail_gain: float = _detail_gain(1.0)
    layer_scale: float = Field(1.0, gt=0, le=1, description="initial value of the LayerScale vectors")


class ParagonSR2NanoSpec(ParagonSR2Spec):
    """ParagonSR2 nano with the tensor names and shapes of 2025-12-01; so have the seven larger ones."""

    type: Literal["paragonsr2_nano"] = "paragonsr2_nano"


class ParagonSR2MicroSpec(ParagonSR2Spec):
    """ParagonSR2 micro."""

    type: Literal["paragonsr2_micro"] = "paragonsr2_micro"


class ParagonSR2TinySpec(ParagonSR2Spec):
    """ParagonSR2 tiny."""

    type: Literal["paragonsr2_tiny"] = "paragonsr2_tiny"


class ParagonSR2XsSpec(ParagonSR2Spec):
    """ParagonSR2 xs."""

    type: Literal["paragonsr2_xs"] = "paragonsr2_xs"
    detail_gain: float = _detail_gain(0.5)


class ParagonSR2SSpec(ParagonSR2Spec):
    """ParagonSR2 s."""

    type: Literal["paragonsr2_s"] = "paragonsr2_s"
    detail_gain: float = _detail_gain(0.5)


class ParagonSR2MSpec(ParagonSR2Spec):
    """ParagonSR2 m."""

    type: Literal["paragonsr2_m"] = "paragonsr2_m"
    detail_gain: float = _detail_gain(0.3)


class ParagonSR2LSpec(ParagonSR2Spec):
    """ParagonSR2 l."""

    type: Literal["paragonsr2_l"] = "paragonsr2_l"
    detail_gain: float = _detail_gain(0.1)


class ParagonSR2XlSpec(ParagonSR2Spec):
    """ParagonSR2 xl."""

    type: Literal["paragonsr2_xl"] = "paragonsr2_xl"
    detail_gain: float = _detail_gain(0.1)


class ParagonSR2RealtimeSpec(ParagonSR2Spec):
    """ParagonSR2 realtime with the tensor names and shapes of January 2026."""

    type: Literal["paragonsr2_realtime"] = "paragonsr2_realtime"
    detail_gain: float = Field(0.3, gt=0, le=10, description="initial value of the learned gain")


class ParagonSR2StreamSpec(ParagonSR2Spec):
    """ParagonSR2 stream with the tensor names and shapes of January 2026."""

    type: Literal["paragonsr2_stream"] = "paragonsr2_stream"
    detail_gain: float = Field(0.3, gt=0, le=10, description="initial value of the learned gain")


class SpandrelSpec(Frozen):
    """A network of the spandrel library, with fresh weights; the worker needs the extra `archs`."""

    type: Literal["spandrel"] = "spandrel"
    name: str = Field(
        pattern=r"\A[A-Za-z][A-Za-z0-9_]{0,63}\z", description="an architecture of spandrel, such as DAT"
    )
    arguments: dict[str, JsonValue] = Field(
        default_factory=dict, description="arguments of its constructor; the scale is put in"
    )


NetworkSpec = Annotated[
    CompactSpec
    | EdsrSpec
    | ParagonSR2LSpec
    | ParagonSR2MicroSpec
    | ParagonSR2MSpec
    | ParagonSR2NanoSpec
    | ParagonSR2RealtimeSpec
    | ParagonSR2SSpec
    | ParagonSR2StreamSpec
    | ParagonSR2TinySpec
    | ParagonSR2XlSpec
    | ParagonSR2XsSpec
    | SpanSpec
    | SpandrelSpec,
    Field(discriminator="type"),
]

NETWORK_SPECS: dict[str, type[Frozen]] = {
    model.model_fields["type"].default: model for model in get_args(get_args(NetworkSpec)[0])
}
"""The spec class of each `type`."""
NETWORK_TYPES = tuple(NETWORK_SPECS)


def network_arguments(network: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The arguments of a `network_g` by name: `value` as it stands there, `default`, `description`."""
    fields = NETWORK_SPECS[network["type"]].model_fields
    found = {}
    for name, field in fields.items():
        if name != "type":
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            value = network.get(name, default)
            found[name] = {"value": value, "default": default, "description": field.description or ""}
    return found


def network_name(network: NetworkSpec) -> str:
    """What a network is called: its type, or `spandrel:NAME`."""
    return f"{SPANDREL}:{network.name}" if isinstance(network, SpandrelSpec) else network.type


def network_keys(name: str) -> dict[str, Any]:
    """The `network_g` that a type stands for: `spandrel:DAT` means `{type: spandrel, name: DAT}`."""
    kind, colon, inner = name.partition(":")
    return {"type": kind, "name": inner} if colon and kind == SPANDREL else {"type": name}
