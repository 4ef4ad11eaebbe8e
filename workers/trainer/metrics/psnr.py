"""Peak signal-to-noise ratio."""

from __future__ import annotations

import math

import torch
from torch import Tensor

HIGHEST = 100.0
"""dB that equal pictures count as, so that a mean over pictures stays finite."""


def psnr(x: Tensor, y: Tensor) -> float:
    """10 log10(255^2 / mean squared error) in dB, of values in 0..255, any shape."""
    return decibels(mean_squared_error(x, y).item())


def mean_squared_error(x: Tensor, y: Tensor) -> Tensor:
    """A float64 scalar on the device of `x`."""
    return (x.to(torch.float64) - y.to(torch.float64)).square_().mean()


def decibels(error: float) -> float:
    """PSNR of a mean squared error of values in 0..255."""
    return min(HIGHEST, 10 * math.log10(255**2 / error)) if error > 0 else HIGHEST
