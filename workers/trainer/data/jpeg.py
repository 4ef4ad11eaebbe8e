"""JPEG compression and back, on the device: baseline, 4:2:0, the standard's tables, libjpeg's quality.

Not kornia.enhance.jpeg_codec_differentiable: its soft rounding lets a part of what JPEG throws away through
(0.4 to 0.8 dB too good against libjpeg's own result), which a network would learn to live on.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

# ITU-T T.81, tables K.1 and K.2.
_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
# JFIF 1.02: full-range BT.601.
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))


@torch.no_grad()
def jpeg(x: Tensor, quality: Tensor) -> Tensor:
    """`x` [N, 3, H, W] RGB in 0..255 (rounded first) as a JPEG decoder gives it back: whole numbers.

    `quality`: float [N], whole numbers 1..100 on the same device, as libjpeg understands them.
    """
    height, width = x.shape[-2:]
    # Sides of whole 16x16 blocks; the encoder repeats the last row and column.
    x = F.pad(x.round(), (0, -width % 16, 0, -height % 16), mode="replicate")
    c = _constants(x.device)
    ycc = (_mixed(x, c.to_ycc) + c.offset).round_()
    scale = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)[:, None, None]
    luma = _coded(ycc[:, :1] - 128, _table(c.luma, scale), c.dct)
    half = F.avg_pool2d(ycc[:, 1:], 2).round_()
    chroma = _coded(half - 128, _table(c.chroma, scale), c.dct)
    # libjpeg's "fancy upsampling" is the triangle filter, which is bilinear interpolation by two.
    chroma = F.interpolate((chroma + 128).round_().clamp_(0, 255), scale_factor=2, mode="bilinear")
    ycc = torch.cat([(luma + 128).round_().clamp_(0, 255), chroma.round_()], 1)
    return _mixed(ycc - c.offset, c.to_rgb).round_().clamp_(0, 255)[..., :height, :width]


def _coded(x: Tensor, table: Tensor, dct: Tensor) -> Tensor:
    """[N, C, H, W] after DCT, rounding to multiples of `table` [N, 8, 8], and the inverse DCT."""
    n, channels, height, width = x.shape
    blocks = x.reshape(n, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    coefficients = dct @ blocks @ dct.T
    steps = table[:, None, None, None]
    rounded = (coefficients / steps).round_() * steps
    return (dct.T @ rounded @ dct).transpose(3, 4).reshape(x.shape)


def _table(base: Tensor, scale: Tensor) -> Tensor:
    """The table of each sample's quality, [N, 8, 8]."""
    return ((base * scale + 50) / 100).floor().clamp_(1, 255)


def _mixed(x: Tensor, matrix: Tensor) -> Tensor:
    """The channels of [N, 3, H, W] mixed by `matrix` [3, 3], row by row of the output."""
    # Sums instead of a matrix product: on CUDA that might be computed in TF32.
    rows = [sum(x[:, k] * matrix[row, k] for k in range(3)) for row in range(3)]
    return torch.stack([torch.as_tensor(row) for row in rows], 1)


class _Constants:
    """The tables on a device."""

    def __init__(self, device: torch.device) -> None:
        def tensor(values: object) -> Tensor:
            return torch.tensor(values, dtype=torch.float32, device=device)

        self.luma, self.chroma = tensor(_LUMA), tensor(_CHROMA)
        self.to_ycc, self.to_rgb = tensor(_TO_YCC), tensor(_TO_RGB)
        self.offset = tensor((0, 128, 128)).reshape(1, 3, 1, 1)
        self.dct = tensor(
            [
                [
                    math.sqrt((1 if u == 0 else 2) / 8) * math.cos((2 * x + 1) * u * math.pi / 16)
                    for x in range(8)
                ]
                for u in range(8)
            ]
        )


@lru_cache(maxsize=8)
def _constants(device: torch.device) -> _Constants:
    return _Constants(device)
