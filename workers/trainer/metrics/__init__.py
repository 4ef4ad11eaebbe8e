"""How good a picture is, by the protocol of the super-resolution literature."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.trainer.metrics.luma import grey_luma, luma
from workers.trainer.metrics.psnr import decibels, mean_squared_error, psnr
from workers.trainer.metrics.ssim import similarity, ssim

__all__ = ["compare", "errors", "figures", "luma", "psnr", "ssim"]


def compare(sr: Tensor, hr: Tensor, border: int, grey: bool) -> dict[str, float]:
    """PSNR on Y and RGB (dB) and SSIM on Y of one picture.

    sr, hr: uint8 [3, H, W]; `border` pixels are cut on each side. `grey`: the file of the original is
    grey, and it counts as its own Y.
    """
    return figures(errors(sr, hr, border, grey).tolist())


def errors(sr: Tensor, hr: Tensor, border: int, grey: bool) -> Tensor:
    """What `compare` is made of, still on the device: float64 [3] for `figures`. Waits for nothing."""
    inner = slice(border, -border or None)
    sr, hr = sr[:, inner, inner], hr[:, inner, inner]
    to_luma = grey_luma if grey else luma
    sr_y, hr_y = to_luma(sr), to_luma(hr)
    found = (mean_squared_error(sr_y, hr_y), similarity(sr_y, hr_y), mean_squared_error(sr, hr))
    return torch.stack(found)


def figures(row: Sequence[float]) -> dict[str, float]:
    """A row of `errors`, read back, in the units of the literature."""
    error_y, ssim_y, error_rgb = row
    return {"psnr": decibels(error_y), "ssim": ssim_y, "psnr_rgb": decibels(error_rgb)}
