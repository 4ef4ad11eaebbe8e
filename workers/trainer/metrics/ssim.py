"""Structural similarity (Wang et al., 2004)."""

from __future__ import annotations

import torch
from kornia.metrics import ssim as kornia_ssim
from torch import Tensor

WINDOW = 11


@torch.no_grad()
def ssim(x: Tensor, y: Tensor) -> float:
    """Mean over all valid 11x11 Gaussian windows (sigma 1.5) of [H, W] values in 0..255, -1..1.

    kornia in float32: three times as fast as in float64, and within 2e-6 of it. Pictures smaller than the
    window have no valid one and count as 1 where equal, else as 0.
    """
    if min(x.shape) < WINDOW:
        return float(torch.equal(x, y))
    one, two = (z.to(torch.float32)[None, None] for z in (x, y))
    similarity: Tensor = kornia_ssim(one, two, WINDOW, max_val=255.0, eps=0.0, padding="valid")
    return float(similarity.mean(dtype=torch.float64))
