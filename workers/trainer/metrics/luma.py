"""Luma of an RGB picture."""

from __future__ import annotations

import torch
from torch import Tensor

_STUDIO = (65.481, 128.553, 24.966)
"""ITU-R BT.601, 8-bit studio range: Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255."""


def luma(rgb: Tensor) -> Tensor:
    """uint8 [3, H, W] -> float64 [H, W], whole numbers 16..235, as MATLAB's rgb2ycbcr."""
    return (_weighted(rgb) / 255 + 16).round_()


def grey_luma(rgb: Tensor) -> Tensor:
    """uint8 [3, H, W] -> float64 [H, W], whole numbers 0..255: a grey value stays what it is."""
    return (_weighted(rgb) / sum(_STUDIO)).round_()


def _weighted(rgb: Tensor) -> Tensor:
    # float64: in float32 a value near .5 could be rounded the other way.
    weights = torch.tensor(_STUDIO, dtype=torch.float64, device=rgb.device)
    return torch.einsum("c,chw->hw", weights, rgb.to(torch.float64))
