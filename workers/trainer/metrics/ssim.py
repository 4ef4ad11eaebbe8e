"""Structural similarity (Wang et al., 2004)."""

from __future__ import annotations

import torch
from kornia.metrics import ssim as kornia_ssim
from torch import Tensor

WINDOW = 11


def ssim(x: Tensor, y: Tensor) -> float:
    """Mean over all valid 11x11 Gaussian windows (sigma 1.5) of [H, W] values in 0..255, -1..1."""
    return similarity(x, y).item()


@torch.no_grad()
def similarity(x: Tensor, y: Tensor) -> Tensor:
    """The same as a float64 scalar on the device of `x`.

    kornia in float32: three times as fast as in float64, and within 2e-6 of it. Pictures smaller than the
    window have no valid one and count as 1 where equal, else as 0.
    """
    if min(x.shape) < WINDOW:
        return (x == y).all().to(torch.float64)
    one, two = (z.to(torch.float32)[None, None] for z in (x, y))
    windows: Tensor = kornia_ssim(one, two, WINDOW, max_val=255.0, eps=0.0, padding="valid")
    return windows.mean(dtype=torch.float64)
