"""Softmax attention between all tokens of a window, exactly, in bounded memory."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

_NUMBERS_AT_ONCE = 2**23
"""Of the [T, T] matrices of pairs: eight windows of 32 x 32 at a time, 32 MiB a matrix."""


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax over the tokens of q k, applied to v.

    q, k: [M, R, T] float32; v: [M, C, T]; result: [M, C, T]. Some windows at a time; for the backward pass
    their matrices are computed again instead of kept, which would be gigabytes.
    """
    at_once = max(1, _NUMBERS_AT_ONCE // q.shape[-1] ** 2)
    parts = zip(*(torch.split(x, at_once) for x in (q, k, v)), strict=True)
    if torch.is_grad_enabled() and (q.requires_grad or k.requires_grad or v.requires_grad):
        return torch.cat(
            [checkpoint(_attend, *part, use_reentrant=False, preserve_rng_state=False) for part in parts]
        )
    return torch.cat([_attend(*part) for part in parts])


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    pairs = torch.softmax(torch.bmm(q.transpose(1, 2), k), 2)
    return torch.bmm(v, pairs.transpose(1, 2))
