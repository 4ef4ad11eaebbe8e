"""How good a picture is, by the protocol of the super-resolution literature."""

from __future__ import annotations

from torch import Tensor

from workers.trainer.metrics.luma import grey_luma, luma
from workers.trainer.metrics.psnr import psnr
from workers.trainer.metrics.ssim import ssim

__all__ = ["compare", "luma", "psnr", "ssim"]


def compare(sr: Tensor, hr: Tensor, border: int, grey: bool) -> dict[str, float]:
    """PSNR on Y and RGB (dB) and SSIM on Y of one picture.

    sr, hr: uint8 [3, H, W]; `border` pixels are cut on each side. `grey`: the file of the original is
    grey, and it counts as its own Y.
    """
    inner = slice(border, -border or None)
    sr, hr = sr[:, inner, inner], hr[:, inner, inner]
    to_luma = grey_luma if grey else luma
    sr_y, hr_y = to_luma(sr), to_luma(hr)
    return {"psnr": psnr(sr_y, hr_y), "ssim": ssim(sr_y, hr_y), "psnr_rgb": psnr(sr, hr)}
