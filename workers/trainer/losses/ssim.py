"""1 - SSIM (Wang et al., 2004).

The Gaussian blurs are products with banded matrices. That is exactly the valid 11x11 window of sigma 1.5,
two to seven times as fast as kornia's convolutions on the CPU for crops up to 128 pixels, and deterministic
on CUDA, where kornia pads by reflection, whose backward is not.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn

from workers.trainer.losses.mean_ssim import C1, C2, mean_ssim
from workers.trainer.losses.precision import at_least_float32

WINDOW = 11
SIGMA = 1.5


class SsimLoss(nn.Module):
    """1 - mean SSIM over all valid windows, channels and pictures; 0 for equal pictures, at most 2."""

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """[N, 3, H, W] twice, sides of 11 or more -> scalar, computed in float32 (float64 of float64).

        Its gradient is for `sr` alone.
        """
        with torch.autocast(sr.device.type, enabled=False):
            x, y = at_least_float32(sr), at_least_float32(hr)
            down, right = (_band(side, x.dtype, x.device) for side in x.shape[-2:])
            return 1 - mean_ssim(x, y, down, right)


def ssim_map(x: Tensor, y: Tensor) -> Tensor:
    """[..., H, W] floats in 0..1 -> [..., H - 10, W - 10]."""
    product, squares, covariance, variances = _moments(x, y)
    return ((2 * product + C1) * (2 * covariance + C2)) / ((squares + C1) * (variances + C2))


def contrast_structure_map(x: Tensor, y: Tensor) -> Tensor:
    """SSIM without its luminance term, for MS-SSIM: [..., H, W] floats in 0..1 -> [..., H - 10, W - 10]."""
    _, _, covariance, variances = _moments(x, y)
    return (2 * covariance + C2) / (variances + C2)


def _moments(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each window: product of the means, sum of their squares, covariance, sum of the variances."""
    down, right = (_band(side, x.dtype, x.device) for side in x.shape[-2:])

    def blur(z: Tensor) -> Tensor:
        return down.t() @ (z @ right)

    mean_x, mean_y = blur(x), blur(y)
    product, squares = mean_x * mean_y, mean_x.square() + mean_y.square()
    covariance = blur(x * y) - product
    variances = blur(x.square() + y.square()) - squares
    return product, squares, covariance, variances


@lru_cache(maxsize=16)
def _band(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """[side, side - 10]: column j holds the window's weights at rows j .. j + 10."""
    with torch.inference_mode(False):  # what is kept must also serve a later training step
        return _fresh_band(side).to(device, dtype)


def _fresh_band(side: int) -> Tensor:
    offset = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = torch.exp(-offset.square() / (2 * SIGMA**2))
    weights /= weights.sum()
    band = torch.zeros(side, side - WINDOW + 1, dtype=torch.float64)
    for j in range(band.shape[1]):
        band[j : j + WINDOW, j] = weights
    return band
