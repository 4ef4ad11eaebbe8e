"""The paired sign-flip test: how often would signs by chance make so large a mean difference?

If two trainings were equally good, each picture's difference could as well have the other sign (Fisher, 1935,
The Design of Experiments, 21). Up to MOST_EXACT pictures all signs are tried; for more, DRAWS of them, whose
signs are a hash of their number: the same data gives the same p, on any machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from itertools import count

MOST_EXACT = 14
DRAWS = 4_999

_BITS = 8
_SLACK = 1e-12  # of the sum of sizes: sums in another order differ in their last bits


def p_value(differences: Sequence[float], seed: str = "") -> float:
    """Two-sided, of the mean being 0. Never 0: with draws, the sample itself counts as one of them."""
    if not differences:
        return 1.0
    least = abs(math.fsum(differences)) - _SLACK * math.fsum(map(abs, differences))
    if len(differences) <= MOST_EXACT:
        sums = _all_sums(differences)
        return sum(abs(total) >= least for total in sums) / len(sums)
    tables = [_all_sums(differences[i : i + _BITS]) for i in range(0, len(differences), _BITS)]
    reached = 0
    for draw in range(DRAWS):
        places = _bytes(f"{seed}/{draw}", len(tables))
        total = sum(table[place % len(table)] for table, place in zip(tables, places, strict=True))
        reached += abs(total) >= least
    return (reached + 1) / (DRAWS + 1)


def _all_sums(values: Sequence[float]) -> list[float]:
    """The sum for every choice of signs; bit i of the place is the sign of value i."""
    sums = [0.0]
    for value in values:
        sums = [total + value for total in sums] + [total - value for total in sums]
    return sums


def _bytes(text: str, number: int) -> bytes:
    """A pure function of the text."""
    found = b""
    for block in count():
        found += blake2b(f"{text}/{block}".encode()).digest()
        if len(found) >= number:
            break
    return found[:number]
