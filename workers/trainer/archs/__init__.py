"""The networks: a table from `type` to the function that builds one.

A network takes RGB [N, 3, H, W] float in 0..1 and gives RGB [N, 3, scale * H, scale * W], not clamped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from srqueue.spec.networks import NetworkSpec
from workers.trainer.archs.compact import compact
from workers.trainer.archs.paragonsr2_nano import paragonsr2_nano

ARCHITECTURES: dict[str, Callable[[Any, int], nn.Module]] = {
    "compact": compact,
    "paragonsr2_nano": paragonsr2_nano,
}
"""(spec, scale) -> network, by the spec's `type`."""


def build_network(spec: NetworkSpec, scale: int) -> nn.Module:
    """A network with fresh weights, drawn from torch's global generator."""
    return ARCHITECTURES[spec.type](spec, scale)
