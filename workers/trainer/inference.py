"""One picture through a network, in tiles where it is large."""

from __future__ import annotations

import torch
from torch import Tensor, nn

TILE = 512
"""LR pixels; a larger picture is cut, so that memory does not depend on its size."""

OVERLAP = 16
"""LR pixels that a tile sees around what it gives: more than the networks here reach through convolutions."""


@torch.inference_mode()
def super_resolve(net: nn.Module, lr: Tensor, scale: int, tile: int = TILE) -> Tensor:
    """uint8 [3, H, W] -> uint8 [3, scale * H, scale * W], clamped and rounded, on the device of `lr`."""
    height, width = lr.shape[1:]
    out = torch.empty((3, height * scale, width * scale), dtype=torch.uint8, device=lr.device)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            y0, x0 = max(0, top - OVERLAP), max(0, left - OVERLAP)
            x = lr[:, y0 : bottom + OVERLAP, x0 : right + OVERLAP][None].to(torch.float32).div_(255)
            y = net(x.contiguous(memory_format=torch.channels_last))[0]
            y = y[:, (top - y0) * scale :, (left - x0) * scale :]
            y = y[:, : (bottom - top) * scale, : (right - left) * scale]
            out[:, top * scale : bottom * scale, left * scale : right * scale] = to_uint8(y)
    return out


def to_uint8(x: Tensor) -> Tensor:
    """Floats in 0..1 -> uint8, clamped and rounded; NaN becomes 0."""
    return (x.float() * 255).nan_to_num_(0.0).clamp_(0, 255).round_().to(torch.uint8)
