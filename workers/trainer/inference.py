"""Pictures through a network, in tiles where it is large, on request eight times over."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workers.trainer.reach import reach_of

TILE = 512
"""LR pixels; a larger picture is cut, so that memory does not depend on its size."""

LEAST_TILE = 16
"""LR pixels."""

ENSEMBLE = tuple((turned, axes) for turned in (False, True) for axes in ((), (-1,), (-2,), (-2, -1)))
"""The eight symmetries of a square: whether height and width change places, then which axes are flipped."""


@torch.inference_mode()
def super_resolve(net: nn.Module, lr: Tensor, scale: int, tile: int = TILE, ensemble: bool = False) -> Tensor:
    """uint8 [..., 3, H, W] -> uint8 [..., 3, scale * H, scale * W], clamped and rounded, on its device.

    `ensemble`: the mean over eight flipped and transposed inputs, which takes eight times as long (Timofte
    et al., 2016, "Seven ways to improve example-based single image super resolution").
    """
    height, width = lr.shape[-2:]
    pictures = lr.reshape(-1, 3, height, width)
    overlap = reach_of(net)
    enlarge = self_ensemble if ensemble else _enlarge
    size = (len(pictures), 3, height * scale, width * scale)
    out = torch.empty(size, dtype=torch.uint8, device=lr.device)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            y0, x0 = max(0, top - overlap), max(0, left - overlap)
            x = pictures[..., y0 : bottom + overlap, x0 : right + overlap].to(torch.float32).div_(255)
            y = enlarge(net, x)
            y = y[..., (top - y0) * scale :, (left - x0) * scale :]
            y = y[..., : (bottom - top) * scale, : (right - left) * scale]
            out[..., top * scale : bottom * scale, left * scale : right * scale] = to_uint8(y)
    return out.reshape(*lr.shape[:-2], *size[-2:])


def self_ensemble(net: nn.Module, x: Tensor) -> Tensor:
    """The mean of the network's answers to eight flipped and transposed inputs, each turned back.

    x: [N, 3, H, W] in 0..1 -> float32 [N, 3, scale * H, scale * W], neither clamped nor rounded.
    """
    total: Tensor | None = None
    for turned, axes in ENSEMBLE:
        given = (x.mT if turned else x).flip(axes)
        back = _enlarge(net, given).float().flip(axes)
        back = back.mT if turned else back
        total = back if total is None else total + back
    assert total is not None
    return total / len(ENSEMBLE)


def to_uint8(x: Tensor) -> Tensor:
    """Floats in 0..1 -> uint8, clamped and rounded; NaN becomes 0."""
    return (x.float() * 255).nan_to_num_(0.0).clamp_(0, 255).round_().to(torch.uint8)


def _enlarge(net: nn.Module, x: Tensor) -> Tensor:
    y: Tensor = net(x.contiguous(memory_format=torch.channels_last))
    return y
