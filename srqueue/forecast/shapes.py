"""Shapes of learning curves: how what is still missing shrinks as training goes on.

A curve is a - b g(x): x is how far training has come, g falls from 1 at the beginning towards 0, and a is
what would be reached in the end. For a fixed g it is linear, so families are a grid of shapes. The
families are those of the learning-curve literature: power laws with and without a shift (pow3, pow4), an
exponential, its stretched form (Janoschek, Weibull), Hill's (MMF), the logarithmic one (ilog2), and what
rises without a limit in sight, as a run does that is young (log, line); Domhan, Springenberg and Hutter,
"Speeding up automatic hyperparameter optimization of deep neural networks by extrapolation of learning
curves", IJCAI 2015; Viering and Loog, "The shape of learning curves: a review", 2022 (arXiv 2103.10948).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Shape = Callable[[float], float]
"""x, as a share of the newest point's, above 0 -> what is missing; it falls."""


@dataclass(frozen=True)
class Family:
    """Shapes of one kind. They share the weight of one family, however many there are."""

    name: str
    shapes: tuple[Shape, ...]


def _power(exponent: float, shift: float = 0.0) -> Shape:
    return lambda x: (x + shift) ** -exponent


def _stretched(scale: float, stretch: float) -> Shape:
    return lambda x: math.exp(-((x / scale) ** stretch))


def _hill(scale: float, slope: float) -> Shape:
    return lambda x: 1.0 / (1.0 + (x / scale) ** slope)


def _logarithmic(scale: float) -> Shape:
    return lambda x: 1.0 / math.log(x / scale + math.e)


def _rising(scale: float) -> Shape:
    return lambda x: -math.log(x + scale)


_EXPONENTS = (0.15, 0.3, 0.5, 0.75, 1.0, 1.4, 2.0)
_SHIFTS = (0.1, 0.4)
_SCALES = (0.05, 0.12, 0.25, 0.5, 1.0)
_STRETCHES = (0.35, 0.6)
_SLOPES = (0.7, 1.2, 2.0)

FAMILIES = (
    Family("power", tuple(_power(c) for c in _EXPONENTS)),
    Family("shifted power", tuple(_power(c, s) for c in _EXPONENTS for s in _SHIFTS)),
    Family("exponential", tuple(_stretched(s, 1.0) for s in _SCALES)),
    Family("stretched exponential", tuple(_stretched(s, d) for s in _SCALES for d in _STRETCHES)),
    Family("hill", tuple(_hill(s, d) for s in _SCALES for d in _SLOPES)),
    Family("logarithmic", tuple(_logarithmic(s) for s in (0.002, 0.01, 0.05))),
    Family("still rising", (*(_rising(s) for s in (0.05, 0.3, 1.0)), lambda x: -x)),
)
