"""Compares a given LR picture with the one that bicubic makes of its HR picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workers.pixels import Pixels

Matrix = NDArray[np.float64]

# Measured at scales 2 and 4 on 80 photographs (BSDS, T91, Set14) with LR by MATLAB's imresize, by Pillow's
# bicubic, Lanczos, Hamming, box and bilinear, by dropping pixels, and bicubic with JPEG 90 to 10, noise of 5
# to 50, blur with noise, 0.6 of the brightness, gamma 1.5:
# - another order of the channels is never more than 0.05 dB nearer; where it is the right one, 2.9 dB at
#   least with JPEG 30, 27 dB without;
# - of HR's colour, 0.6 is left at least; of a grey LR with noise, 0.06 at most;
# - taking brightness and contrast away wins 12 dB for 0.6, 6.4 dB at most for blur and 0.8 dB for noise.
_SWAPPED = 2.0  # dB
_COLOUR_LEFT = 0.25
_COLOURED = 3.0  # grey levels, root mean square of channel minus luma: less is hardly seen
_RELIT = 3.0  # dB

HIGHEST = 99.0
"""dB of pictures that are equal."""

_LUMA = np.array([0.299, 0.587, 0.114])
_CHROMA = np.eye(3) - _LUMA  # channel minus luma


@dataclass(frozen=True)
class Consistency:
    """`fit`: PSNR over RGB in dB, all pixels. `gain`: times that LR is brighter; 1 where the two differ
    otherwise."""

    fit: float
    gain: float
    remark: str | None = None


def consistency(large: Pixels, small: Pixels) -> Consistency:
    """Of an HR and an LR picture that fits a scale; the remark says what is wrong with the colours."""
    made = made_small(large, (small.shape[1], small.shape[0]))
    given, own = small.reshape(-1, 3).astype(np.float64), made.reshape(-1, 3).astype(np.float64)
    count = len(given)
    # All that is asked for follows from means of products of channels.
    both, own_squares = given.T @ own / count, own.T @ own / count
    energy = float(np.trace(given.T @ given / count) + np.trace(own_squares))
    error = max(energy - 2 * float(np.trace(both)), 0.0)
    return Consistency(
        fit=_decibels(error / 3),
        gain=_gain(given, own, error),
        remark=_swapped(both, energy, error) or _grey(both, own_squares),
    )


def made_small(large: Pixels, size: tuple[int, int]) -> Pixels:
    """`large` in `size` (width, height), the same to the bit (1 level in 10^6 values aside) as the trainer's
    bicubic makes it, without loading torch."""
    planes = [Image.fromarray(large[..., channel].astype(np.float32)) for channel in range(3)]
    small = [np.asarray(plane.resize(size, Image.Resampling.BICUBIC)) for plane in planes]
    return np.asarray(np.clip(np.round(np.stack(small, -1)), 0, 255), np.uint8)


def _gain(given: Matrix, own: Matrix, error: float) -> float:
    """How often as bright the given LR is; 1 where best contrast and brightness hardly bring it nearer."""
    means, own_means = given.mean(0), own.mean(0)
    a, b = given - means, own - own_means
    spread = float(np.vdot(b, b))
    if spread == 0 or own_means.sum() == 0:
        return 1.0
    slope = float(np.vdot(a, b)) / spread
    left = float(np.square(a - slope * b).sum()) / len(a)
    if _decibels(left / 3) - _decibels(error / 3) < _RELIT:
        return 1.0
    return float(means.sum() / own_means.sum())


def _swapped(both: Matrix, energy: float, error: float) -> str | None:
    others = [order for order in permutations(range(3)) if order != (0, 1, 2)]
    errors = [max(energy - 2 * sum(both[order[c], c] for c in range(3)), 0.0) for order in others]
    least = int(np.argmin(errors))
    if _decibels(errors[least] / 3) - _decibels(error / 3) < _SWAPPED:
        return None
    if others[least] == (2, 1, 0):
        return "LR has red and blue swapped"
    return "LR has its colour channels in another order"


def _grey(both: Matrix, own_squares: Matrix) -> str | None:
    colour = float(np.trace(_CHROMA @ own_squares @ _CHROMA.T))
    left = float(np.trace(_CHROMA @ both @ _CHROMA.T))
    if colour / 3 > _COLOURED**2 and left < _COLOUR_LEFT * colour:
        return "LR is grey and HR is coloured"
    return None


def _decibels(error: float) -> float:
    return min(10 * math.log10(255.0**2 / error), HIGHEST) if error > 0 else HIGHEST
