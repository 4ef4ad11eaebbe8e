"""Finds pictures that are nearly the same photograph."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from workers.thumbnails import Thumbnail

SAME = 0.97
"""Correlation of the 16x16 grey thumbnails above which two pictures are taken for one."""
_ROWS = 2048

Thumbnails = Mapping[str, Thumbnail]
"""By the path of the picture."""


def near_duplicates(trained: Thumbnails, validated: Thumbnails) -> list[tuple[str, str, float]]:
    """(trained path, validated path, correlation) of all pairs above SAME, most alike first."""
    if not trained or not validated:
        return []
    names, against = list(trained), list(validated)
    left = np.stack([trained[name] for name in names])
    right = np.stack([validated[name] for name in against])
    return _sorted((names[i], against[j], value) for i, j, value in _above(left, right))


def near_duplicates_within(thumbnails: Thumbnails) -> list[tuple[str, str, float]]:
    """(path, another path, correlation) of all pairs of one set above SAME, each pair once."""
    if not thumbnails:
        return []
    names = sorted(thumbnails)
    every = np.stack([thumbnails[name] for name in names])
    return _sorted((names[i], names[j], value) for i, j, value in _above(every, every) if i < j)


def with_a_near_duplicate(some: Collection[str], thumbnails: Thumbnails) -> set[str]:
    """Which of `some` are nearly the same as another one of `thumbnails`, which holds them too."""
    looked_at = {path: thumbnails[path] for path in some if path in thumbnails}
    return {one for one, other, _ in near_duplicates(looked_at, thumbnails) if one != other}


def _above(left: NDArray[np.float32], right: NDArray[np.float32]) -> Iterator[tuple[int, int, float]]:
    """(row of left, row of right, correlation) above SAME, block by block: all at once takes much memory."""
    for top in range(0, len(left), _ROWS):
        for start in range(0, len(right), _ROWS):
            correlation = left[top : top + _ROWS] @ right[start : start + _ROWS].T
            for row, column in np.argwhere(correlation > SAME):
                yield top + int(row), start + int(column), float(min(correlation[row, column], 1.0))


def _sorted(hits: Iterable[tuple[str, str, float]]) -> list[tuple[str, str, float]]:
    return sorted(hits, key=lambda hit: (-hit[2], hit[0], hit[1]))
