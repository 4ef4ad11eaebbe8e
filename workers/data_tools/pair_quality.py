"""Tells whether LR and HR of a pair show the same thing at the same place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from workers.data_tools.picture import read_rgb

_PEAK = 255.0
_ALIKE = 0.7  # correlation of a pair's lumas; right pairs lie near 1, other pictures near 0
_SHIFT_GAIN = 1.0  # dB that a shift must win to be believed
_WINDOW = 256  # side of the middle part in which shifts are tried, HR pixels
_FAR_BELOW = 6.0  # dB under the median that are never remarkable


@dataclass(frozen=True)
class PairQuality:
    """PSNR-Y (dB) of the bicubically enlarged LR against HR, border of `scale` pixels cut."""

    path: str
    psnr: float | None  # None: equal to the last bit
    remark: str | None = None


def pair_quality(path: str, hr: Path, lr: Path, scale: int) -> PairQuality:
    """Compares one pair; the remark says what is probably wrong. Raises BrokenPicture."""
    original = _luma(read_rgb(hr).astype(np.float32))
    small = torch.from_numpy(read_rgb(lr).astype(np.float32)).permute(2, 0, 1)[None]
    # antialias=True picks a = -0.5, as MATLAB and Pillow do, also upwards; without it torch takes -0.75.
    large = torch.nn.functional.interpolate(
        small, scale_factor=scale, mode="bicubic", antialias=True, align_corners=False
    )
    enlarged = _luma(large[0].permute(1, 2, 0).clamp(0, _PEAK).round().numpy())
    inner = (slice(scale, -scale or None),) * 2
    psnr = _psnr(original[inner], enlarged[inner])
    if _correlation(original, enlarged) < _ALIKE:
        return PairQuality(path, psnr, "LR shows probably another picture")
    return PairQuality(path, psnr, _shift(original, enlarged, scale))


def flag_outliers(pairs: Sequence[PairQuality]) -> list[PairQuality]:
    """The pairs, with a remark on those whose PSNR lies far below the others.

    Far is 4 robust standard deviations (1.4826 times the median absolute deviation) and 6 dB below the
    median.
    """
    values = [pair.psnr for pair in pairs if pair.psnr is not None]
    if len(values) < 5:
        return list(pairs)
    middle = median(values)
    spread = 1.4826 * median(abs(value - middle) for value in values)
    limit = middle - max(_FAR_BELOW, 4 * spread)
    return [
        PairQuality(pair.path, pair.psnr, f"far below the set's median of {middle:.2f} dB")
        if pair.remark is None and pair.psnr is not None and pair.psnr < limit
        else pair
        for pair in pairs
    ]


def _luma(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """[H, W, 3] in 0..255 -> [H, W], the rounded Y of BT.601 in 16..235."""
    weights = np.array([65.481, 128.553, 24.966], np.float32) / 255
    return np.asarray(np.round(rgb @ weights + 16), np.float32)


def _psnr(a: NDArray[np.float32], b: NDArray[np.float32]) -> float | None:
    error = float(np.mean(np.square(a - b, dtype=np.float64)))
    return 10 * math.log10(_PEAK**2 / error) if error else None


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Pearson's; 1 where one of them is flat, which tells nothing."""
    a, b = a - a.mean(), b - b.mean()
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    flat = min(float(a.std()), float(b.std())) < 1
    return 1.0 if flat else float(np.vdot(a, b)) / length


def _shift(original: NDArray[np.float32], enlarged: NDArray[np.float32], scale: int) -> str | None:
    """A remark where LR fits clearly better when moved by some whole HR pixels."""
    height, width = original.shape
    side_y, side_x = min(_WINDOW, height - 2 * scale), min(_WINDOW, width - 2 * scale)
    if min(side_y, side_x) < 8:
        return None
    top, left = (height - side_y) // 2, (width - side_x) // 2
    fixed = original[top : top + side_y, left : left + side_x]
    found: dict[tuple[int, int], float] = {}
    for dy in range(-scale, scale + 1):
        for dx in range(-scale, scale + 1):
            moved = enlarged[top + dy : top + dy + side_y, left + dx : left + dx + side_x]
            found[dx, dy] = _psnr(fixed, moved) or math.inf
    (dx, dy), best = max(found.items(), key=lambda item: item[1])
    if best == found[0, 0] or best - found[0, 0] < _SHIFT_GAIN:  # the first for a flat picture: both infinite
        return None
    return f"LR is probably shifted by {dx}, {dy} HR pixels"
