"""Finds pictures that are nearly the same photograph."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

SAME = 0.97
"""Correlation of the 16x16 grey thumbnails above which two pictures are taken for one."""
_ROWS = 8192


def near_duplicates(
    trained: Mapping[str, NDArray[np.float32]], validated: Mapping[str, NDArray[np.float32]]
) -> list[tuple[str, str, float]]:
    """(trained path, validated path, correlation) of all pairs above SAME, most alike first.

    Thumbnails are [256] float32 of mean 0 and length 1.
    """
    if not trained or not validated:
        return []
    names, against = list(trained), list(validated)
    right = np.stack([validated[name] for name in against]).T
    found: list[tuple[str, str, float]] = []
    for start in range(0, len(names), _ROWS):
        some = names[start : start + _ROWS]
        correlation = np.stack([trained[name] for name in some]) @ right
        for row, column in np.argwhere(correlation > SAME):
            found.append((some[row], against[column], float(min(correlation[row, column], 1.0))))
    return sorted(found, key=lambda hit: (-hit[2], hit[0], hit[1]))
