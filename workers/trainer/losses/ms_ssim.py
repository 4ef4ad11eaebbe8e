"""1 - MS-SSIM (Wang, Simoncelli and Bovik, 2003), at as many of its five scales as the crop has."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workers.trainer.losses.precision import at_least_float32
from workers.trainer.losses.ssim import WINDOW, contrast_structure_map, ssim_map

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Wang's exponents, finest scale first."""

LEAST = 1e-4
"""A mean similarity below this counts as this: x^w has no finite slope at 0 and no value below it."""


class MsSsimLoss(nn.Module):
    """1 - MS-SSIM, the mean over pictures and channels; 0 for equal pictures, at most 1.

    MS-SSIM is the product over scales of cs^w, of the coarsest ssim^w, where cs (contrast and structure) and
    ssim are means over all valid windows of one picture and channel. From one scale to the next, 2x2 pixels
    become their mean; the last row or column of an odd side is left out. The scales are as many as leave
    11 pixels, and their weights are divided by their sum, so that the exponents add up to 1 again.
    """

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """[N, 3, H, W] twice, sides of 11 or more -> scalar, computed in float32 (float64 of float64)."""
        with torch.autocast(sr.device.type, enabled=False):
            x, y = at_least_float32(sr), at_least_float32(hr)
            weights = scale_weights(min(x.shape[-2:]))
            product = torch.ones((), dtype=x.dtype, device=x.device)
            for weight in weights[:-1]:
                product = product * _power(contrast_structure_map(x, y), weight)
                x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
            return 1 - (product * _power(ssim_map(x, y), weights[-1])).mean()

    def describe(self, size: int) -> dict[str, Any]:
        """What a record needs of crops whose smaller side is `size`: how many scales, and their weights."""
        weights = scale_weights(size)
        return {"scales": len(weights), "weights": [round(weight, 4) for weight in weights]}


def scale_weights(size: int) -> tuple[float, ...]:
    """The weights, summing to 1, of the scales that pictures of smaller side `size` (11 or more) have."""
    scales = 1
    while scales < len(WEIGHTS) and size >> scales >= WINDOW:
        scales += 1
    kept = WEIGHTS[:scales]
    return tuple(weight / sum(kept) for weight in kept)


def _power(similarity: Tensor, weight: float) -> Tensor:
    """A map [N, C, H, W] -> its mean to the power of `weight` [N, C]."""
    return similarity.mean((-2, -1)).clamp(min=LEAST).pow(weight)
