"""Finds the pairs of a data set that are unlike its others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from workers.data_tools.pair_quality import PairQuality

_FEWEST = 5  # pairs; of fewer, none is usual
_FAR_BELOW = 6.0  # dB under the median that are never remarkable
_SIGMAS = 4.0  # robust standard deviations, likewise
_FIT_SIGMAS = 6.0  # in sets blurred alike, pictures full of detail lie 5.4 below
_GAIN = 1.3  # times brighter or darker, likewise: gamma 1.5 makes that much of pictures

# Measured as told in consistency.py. The median of a set made small by bicubic is 56 dB (MATLAB's 54 at
# least), by Lanczos, Hamming, box or bilinear 39 to 44 and 33 for most of the single pictures; JPEG 90 has 34
# to 35, noise of 5 grey levels 34, dropped pixels 22 to 27. A picture blurred four times has 12 to 31.
_OTHER_FILTER = 33.0  # dB; above it another filter, a matter of taste, may have been used
_DEGRADED = 37.0  # dB, of the median


def flag_outliers(pairs: Sequence[PairQuality]) -> list[PairQuality]:
    """The pairs, with a remark on those that are far from the others in brightness, in their distance from HR
    made small, or in PSNR.

    Far is 4 to 6 robust standard deviations (1.4826 times the median absolute deviation), and 6 dB or 1.3
    times. What all pairs of a set have in common is no remark: see `degradation_of`.
    """
    gains = _Usual([math.log(pair.gain) for pair in pairs if pair.gain])
    fits = _Usual([pair.fit for pair in pairs if pair.fit is not None])
    psnrs = _Usual([pair.psnr for pair in pairs if pair.psnr is not None])
    farthest = gains.allowed(math.log(_GAIN), _SIGMAS)
    worst_fit = min(fits.middle - fits.allowed(_FAR_BELOW, _FIT_SIGMAS), _OTHER_FILTER)
    worst_psnr = psnrs.middle - psnrs.allowed(_FAR_BELOW, _SIGMAS)

    def remark(pair: PairQuality) -> str | None:
        if pair.gain and abs(math.log(pair.gain) - gains.middle) > farthest:
            usual = math.exp(gains.middle)
            return f"LR is {pair.gain:.2f} times as bright as HR, the median is {usual:.2f}"
        if pair.fit is not None and pair.fit < worst_fit:
            measured = f"{pair.fit:.1f} dB, the median is {fits.middle:.1f}"
            return f"LR is far from HR made small ({measured}): blurred, or made otherwise than the others"
        if pair.psnr is not None and pair.psnr < worst_psnr:
            return f"far below the set's median of {psnrs.middle:.2f} dB"
        return None

    return [pair if pair.remark else replace(pair, remark=remark(pair)) for pair in pairs]


def degradation_of(pairs: Sequence[PairQuality]) -> str | None:
    """A sentence on a set whose LR was not made by bicubic, nor by any filter like it; None for others."""
    fits = [pair.fit for pair in pairs if pair.fit is not None and not pair.remark]
    if not fits or median(fits) >= _DEGRADED:
        return None
    return (
        f"its LR pictures are not HR made small by bicubic: median {median(fits):.1f} dB; "
        "right where they are meant to be degraded"
    )


class _Usual:
    """Median and spread of some values; of too few, nothing is unusual."""

    def __init__(self, values: Sequence[float]) -> None:
        enough = len(values) >= _FEWEST
        self.middle = median(values) if enough else 0.0
        self.spread = 1.4826 * median(abs(v - self.middle) for v in values) if enough else math.inf

    def allowed(self, least: float, sigmas: float) -> float:
        """How far from the median a value may lie."""
        return max(least, sigmas * self.spread)
