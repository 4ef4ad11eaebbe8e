"""Exponential moving average of the weights (Polyak averaging)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Ema:
    """A shadow of `net` that follows it; with decay 0 it is `net` itself.

    Parameters are averaged. Buffers (running statistics, say) are copied: those are averages already.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.net = copy.deepcopy(net).requires_grad_(False) if decay > 0 else net
        self._shadow: list[Tensor] = list(self.net.parameters()) if decay > 0 else []
        self._source: list[Tensor] = [p.detach() for p in net.parameters()]
        self._shadow_buffers: list[Tensor] = list(self.net.buffers()) if decay > 0 else []
        self._source_buffers: list[Tensor] = list(net.buffers()) if decay > 0 else []

    @torch.no_grad()
    def update(self, iteration: int) -> None:
        """Moves the shadow after step `iteration` (1-based).

        The decay grows as (1 + i) / (10 + i), so that the random start is forgotten soon.
        """
        if self.decay > 0:
            decay = min(self.decay, (1 + iteration) / (10 + iteration))
            torch._foreach_lerp_(self._shadow, self._source, 1 - decay)
            if self._shadow_buffers:
                torch._foreach_copy_(self._shadow_buffers, self._source_buffers)
