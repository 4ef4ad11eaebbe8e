"""The networks: a table from `type` to the function that builds one.

A network takes RGB [N, 3, H, W] float in 0..1 and gives RGB [N, 3, scale * H, scale * W], not clamped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from srqueue.spec.networks import NetworkSpec
from workers.trainer.archs.compact import compact
from workers.trainer.archs.edsr import edsr
from workers.trainer.archs.paragonsr2 import paragonsr2
from workers.trainer.archs.paragonsr2_stream import paragonsr2_realtime, paragonsr2_stream
from workers.trainer.archs.paragonsr2_variants import VARIANTS
from workers.trainer.archs.span import span
from workers.trainer.archs.spandrel import spandrel

ARCHITECTURES: dict[str, Callable[[Any, int], nn.Module]] = {
    "compact": compact,
    "edsr": edsr,
    **dict.fromkeys(VARIANTS, paragonsr2),
    "paragonsr2_realtime": paragonsr2_realtime,
    "paragonsr2_stream": paragonsr2_stream,
    "span": span,
    "spandrel": spandrel,
}
"""(spec, scale) -> network, by the spec's `type`."""


def build_network(spec: NetworkSpec, scale: int) -> nn.Module:
    """A network with fresh weights, drawn from torch's global generator.

    Raises SpecError where a library that it needs is absent, or refuses its arguments.
    """
    return ARCHITECTURES[spec.type](spec, scale)
