"""Products with a banded matrix: a blur along the last axis, without the zeros outside the band."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 32
"""Columns of the band at a time. With a window of 11 a block has 42 rows, whatever the side."""

WHOLE = 64
"""Sides up to this, and every side on a GPU, are one product: the zeros cost less than the blocks."""


def banded(x: Tensor, band: Tensor) -> Tensor:
    """`x` [..., n] @ `band` [n, m], which is a blur or the transpose of one.

    Column j is zero but for the rows j .. j + n - m; where m is more than n, it is the other way round.
    """
    n, m = band.shape
    if x.device.type != "cpu" or max(n, m) <= WHOLE:
        return x @ band
    before, behind = max(0, m - n), max(0, n - m)
    rows = x.reshape(-1, n)
    out = torch.empty((len(rows), m), dtype=x.dtype, device=x.device)
    for first in range(0, m, BLOCK):
        last = min(first + BLOCK, m)
        low, high = max(0, first - before), min(n, last + behind)
        out[:, first:last] = rows[:, low:high] @ band[low:high, first:last]
    return out.reshape(*x.shape[:-1], m)
