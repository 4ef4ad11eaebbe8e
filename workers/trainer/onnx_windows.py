"""Window attention as ONNX operators: any size, the same windows, the same arithmetic.

Traced by the exporter it would be bound to the size of its example, or take minutes for each attention; so
the exporter sees one operator, and `onnx_operators` says what that is in ONNX.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from workers.trainer.archs.window_attention import WindowAttention
from workers.trainer.onnx_operators import in_onnx


def exportable(net: nn.Module) -> nn.Module:
    """A copy of the network, with the same weights, whose window attentions are one operator each.

    Decorators such as torch.no_grad are taken off, which the exporter would make parts of the graph.
    """
    copied = copy.copy(net)
    if isinstance(net, WindowAttention):
        copied.forward = MethodType(_attention, copied)
    elif plain := getattr(type(net).forward, "__wrapped__", None):
        copied.forward = MethodType(plain, copied)
    copied._modules = {
        name: None if child is None else exportable(child) for name, child in net._modules.items()
    }
    return copied


def _attention(self: WindowAttention, x: Tensor) -> Tensor:
    packed = torch.cat((self.query(x), self.key(x), self.value(x)), 1)
    attended: Tensor = window_attention(packed, self.reduced)
    return x + self.gamma * attended


@torch.library.custom_op("srqueue::window_attention", mutates_args=())
def window_attention(packed: Tensor, reduced: int) -> Tensor:
    """Queries, keys and values [N, 2 * reduced + C, H, W] -> what the windows attend to [N, C, H, W]."""
    raise NotImplementedError("this operator exists in ONNX only")


@window_attention.register_fake
def _(packed: Tensor, reduced: int) -> Tensor:
    n, channels, height, width = packed.shape
    return packed.new_empty(n, channels - 2 * reduced, height, width)


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """What the exporter must be told."""
    return {torch.ops.srqueue.window_attention.default: in_onnx}
