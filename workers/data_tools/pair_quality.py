"""Tells whether LR and HR of a pair show the same thing at the same place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workers.data_tools.consistency import consistency
from workers.data_tools.picture import read_rgb
from workers.data_tools.shift import Plane, shift_between
from workers.pixels import Pixels

_PEAK = 255.0

ALIKE = 0.35
"""Likeness that a pair must have, whatever the other pairs are. Measured at scales 2 and 4 on 75 pictures of
BSDS: all 11,100 wrong pairs lie in -0.30 to 0.27; of the right ones the least is 0.86 for JPEG of quality
10, 0.45 for noise of 50 grey levels. A PSNR could not be that floor: such noisy pairs have 17 dB, and some
wrong ones 15."""

_CELLS = 24  # along the shorter side: what is compared is so coarse that noise and JPEG average out
_PATCHES = 4  # what is coarser still, such as a bright sky above dark ground, other pictures have as well
_FLAT = 2.0  # grey levels: in a smoother picture, noise would decide


@dataclass(frozen=True)
class PairQuality:
    """`psnr`: PSNR-Y (dB) of the bicubically enlarged LR against HR, border of `scale` pixels cut.

    `fit` and `gain`: LR against what bicubic makes of HR, see Consistency; None: not compared.
    """

    path: str
    psnr: float | None  # None: equal to the last bit, or not to be compared, as the remark says
    remark: str | None = None
    fit: float | None = None
    gain: float | None = None


def pair_quality(path: str, hr: Path, lr: Path, scale: int) -> PairQuality:
    """Compares one pair; the remark says what is probably wrong, however the others are.

    Raises BrokenPicture.
    """
    large, small = read_rgb(hr), read_rgb(lr)
    if (small.shape[0] * scale, small.shape[1] * scale) != large.shape[:2]:
        sizes = f"HR {large.shape[1]}x{large.shape[0]}, LR {small.shape[1]}x{small.shape[0]}"
        return PairQuality(path, None, f"does not fit the scale {scale}: {sizes}")
    original, enlarged = _luma(large.astype(np.float32)), _luma(_enlarged(small, scale))
    inner = (slice(scale, -scale),) * 2
    psnr = _psnr(original[inner], enlarged[inner])
    made = consistency(large, small)

    def quality(remark: str | None) -> PairQuality:
        return PairQuality(path, psnr, remark, round(made.fit, 2), round(made.gain, 3))

    if _likeness(original, enlarged, scale) < ALIKE:
        return quality("LR shows probably another picture")
    if shift := shift_between(original, enlarged, scale):
        return quality(f"LR is probably shifted by {shift[0]}, {shift[1]} HR pixels")
    return quality(made.remark)


def _enlarged(small: Pixels, scale: int) -> Plane:
    """uint8 [h, w, 3] -> float32 [h * scale, w * scale, 3], whole numbers 0..255.

    Pillow's bicubic has a = -0.5, as MATLAB's. In mode F it does not round between the two directions.
    """
    size = (small.shape[1] * scale, small.shape[0] * scale)
    planes = [Image.fromarray(small[..., channel].astype(np.float32)) for channel in range(3)]
    large = [np.asarray(plane.resize(size, Image.Resampling.BICUBIC)) for plane in planes]
    return np.asarray(np.round(np.clip(np.stack(large, -1), 0, _PEAK)), np.float32)


def _luma(rgb: Plane) -> Plane:
    """[H, W, 3] in 0..255 -> [H, W], the rounded Y of BT.601 in 16..235."""
    weights = np.array([65.481, 128.553, 24.966], np.float32) / 255
    return np.asarray(np.round(rgb @ weights + 16), np.float32)


def _psnr(a: Plane, b: Plane) -> float | None:
    error = float(np.mean(np.square(a - b, dtype=np.float64)))
    return 10 * math.log10(_PEAK**2 / error) if error else None


def _likeness(original: Plane, enlarged: Plane, scale: int) -> float:
    """Pearson's correlation of what is neither fine nor very coarse, -1..1; 1 where HR is too smooth to tell.

    Right pairs lie near 1, other pictures near 0. Area means of some low-resolution pixels take noise and
    compression away, and taking away the largest shapes leaves what two pictures rarely share.
    """
    height, width = original.shape
    side = max(min(height, width) / _CELLS, scale)
    cells = (max(int(width / side), 1), max(int(height / side), 1))
    a, b = _middle_band(original, cells), _middle_band(enlarged, cells)
    if float(a.std()) < _FLAT:
        return 1.0
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.vdot(a, b)) / length if length else 0.0


def _middle_band(luma: Plane, cells: tuple[int, int]) -> NDArray[np.float32]:
    patches = (max(cells[0] // _PATCHES, 1), max(cells[1] // _PATCHES, 1))
    small = Image.fromarray(luma).resize(cells, Image.Resampling.BOX)
    coarse = small.resize(patches, Image.Resampling.BOX).resize(cells, Image.Resampling.BILINEAR)
    band = np.asarray(small, np.float32) - np.asarray(coarse, np.float32)
    return np.asarray(band - band.mean(), np.float32)
