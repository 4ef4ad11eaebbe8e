"""A curve as one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

_BARS = "▁▂▃▄▅▆▇█"


def evenly(at: Sequence[int], values: Sequence[float], count: int) -> list[float]:
    """Of many values at uneven places `count` at even ones, each the mean about there, or the one before.

    Few values stay as they are.
    """
    if len(values) <= count:
        return list(values)
    first, span = at[0], max(at[-1] - at[0], 1)
    buckets: list[list[float]] = [[] for _ in range(count)]
    for place, value in zip(at, values, strict=True):
        if math.isfinite(value):
            buckets[min((place - first) * count // span, count - 1)].append(value)
    found: list[float] = []
    for bucket in buckets:
        if bucket or found:
            found.append(sum(bucket) / len(bucket) if bucket else found[-1])
    return found


def sparkline(values: Sequence[float], width: int) -> str:
    """At most `width` characters, the first for the oldest values; each is the mean of those it stands for.

    What is not a finite number is left out; a flat curve is at half height.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite or width < 1:
        return ""
    count = min(width, len(finite))
    edges = [i * len(finite) // count for i in range(count + 1)]
    means = [sum(finite[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, span = min(means), max(means) - min(means)
    if span == 0:
        return _BARS[3] * count
    return "".join(_BARS[min(int((mean - low) / span * len(_BARS)), len(_BARS) - 1)] for mean in means)
