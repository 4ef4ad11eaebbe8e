"""Softmax attention whose queries and keys are single numbers, by moments instead of token pairs.

With one channel each, softmax(a k) v depends on the query a alone. Written as a series,
sum_j exp(a k_j) v_j = sum_n a^n / n! sum_j k_j^n v_j, so ten moments of the keys replace the matrix of all
pairs of tokens. Centring k changes nothing in exact arithmetic (softmax forgets constants) and keeps a k
small. With |a k| < 1 the series to the ninth power is within 7e-7 of exp (relative), and far closer on
trained networks; beyond that the exact form is taken.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from workers.trainer.archs.token_attention import attend

ORDER = 9
LARGEST = 1.0
"""Largest |a k| for which the series is used."""


def scalar_attention(a: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax over the tokens of a k, applied to v.

    a, k: [M, T] float32; v: [M, C, T]; result: [M, C, T]. Looks at the largest |a k|, which on CUDA waits for
    the device once a call.
    """
    k = k - k.mean(1, keepdim=True)
    with torch.no_grad():
        largest = (a.abs().amax(1) * k.abs().amax(1)).amax()
    if a.is_meta or bool(largest < LARGEST):  # on `meta` there are shapes only
        return by_moments(a, k, v)
    return exact(a, k, v)


def by_moments(a: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The series to the power ORDER; for |a k| < LARGEST, k centred."""
    with_one = torch.cat((v, torch.ones_like(v[:, :1])), 1)
    moments = torch.bmm(with_one, _powers(k).transpose(1, 2))
    sums = torch.bmm(moments, _powers(a) * _inverse_factorials(a.dtype, a.device))
    return sums[:, :-1] / sums[:, -1:]


def exact(a: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Token by token, for any a and k."""
    return attend(a[:, None], k[:, None], v)


@lru_cache(maxsize=8)
def _inverse_factorials(dtype: torch.dtype, device: torch.device) -> Tensor:
    """[ORDER + 1, 1]: 1/n!."""
    with torch.inference_mode(False):  # what is kept must also serve a later training step
        return torch.tensor([[1 / math.factorial(n)] for n in range(ORDER + 1)], dtype=dtype).to(device)


def _powers(x: Tensor) -> Tensor:
    """[M, T] -> [M, ORDER + 1, T]: x^0 .. x^ORDER."""
    powers = [torch.ones_like(x), x]
    for _ in range(ORDER - 1):
        powers.append(powers[-1] * x)
    return torch.stack(powers, 1)
