"""Student's t distribution, for intervals, and the F distribution, for spreads."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import lru_cache

_PRECISION = 1e-15
_MOST_STEPS = 300


def interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """The two-sided interval of the mean. Raises ValueError for fewer than two values."""
    half = quantile(0.5 + confidence / 2, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.fmean(values)
    return mean - half, mean + half


@lru_cache(512)
def quantile(p: float, freedom: int) -> float:
    """The t that a share `p` (0.5 <= p < 1) lies below, by bisection."""
    if freedom < 1 or not 0.5 <= p < 1:
        raise ValueError(f"no quantile {p} of Student's t with {freedom} degrees of freedom")
    low, high = 0.0, 1.0
    while below(high, freedom) < p:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle, freedom) < p else (low, middle)
    return (low + high) / 2


def below(t: float, freedom: int) -> float:
    """The share below t >= 0: 1 - I_x(n/2, 1/2) / 2, x = n / (n + t^2) (Abramowitz and Stegun, 26.7.1)."""
    return 1 - _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2


def above(ratio: float, freedom: int, freedom_below: int) -> float:
    """The share of F, a ratio of two variances, above `ratio` (Abramowitz and Stegun, 26.6.2)."""
    x = freedom_below / (freedom_below + freedom * ratio)
    return _incomplete_beta(freedom_below / 2, freedom / 2, x)


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularized, by its continued fraction (Abramowitz and Stegun, 26.5.8), evaluated as Lentz does."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, _MOST_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d, c = 1 / (1 + term * d), 1 + term / c
            found *= d * c
        if abs(d * c - 1) < _PRECISION:
            break
    return front * found / a
