"""Single-head attention in overlapping windows, as ParagonSR2 has it."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from workers.trainer.archs.scalar_attention import scalar_attention
from workers.trainer.archs.token_attention import attend
from workers.trainer.archs.windows import join, split, window_starts

WINDOW, OVERLAP = 32, 8
"""LR pixels."""


class WindowAttention(nn.Module):
    """Queries and keys have an eighth of the channels; starts switched off (gamma 0)."""

    sees = f"windows of {WINDOW}"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduced = max(1, channels // 8)
        self.query = nn.Conv2d(channels, self.reduced, 1)
        self.key = nn.Conv2d(channels, self.reduced, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out. The logits are divided by the root of the number of tokens."""
        packed = torch.cat((self.query(x), self.key(x), self.value(x)), 1).float()
        size = [min(WINDOW, side) for side in x.shape[-2:]]
        rows, columns = (window_starts(side, WINDOW, WINDOW - OVERLAP) for side in (x.shape[-2], x.shape[-1]))
        windows = split(packed, rows, columns, size[0], size[1])
        tokens = windows.flatten(0, 1).flatten(2)
        with _full_precision(x.device.type):
            maps = self._attended(tokens).reshape(*windows.shape[:2], -1, *size)
            return x + self.gamma * join(maps, rows, columns, OVERLAP)

    def _attended(self, tokens: Tensor) -> Tensor:
        """[M, 2 * reduced + C, T] -> [M, C, T]."""
        r = self.reduced
        root = math.sqrt(tokens.shape[-1])
        if r == 1:
            return scalar_attention(tokens[:, 0] / root, tokens[:, 1], tokens[:, 2:])
        return attend(tokens[:, :r] / root, tokens[:, r : 2 * r], tokens[:, 2 * r :])


def _full_precision(device: str) -> AbstractContextManager[object]:
    """No autocast inside, on devices that have it (`meta`, where shapes are counted, has none)."""
    known = torch.amp.is_autocast_available(device)
    return torch.autocast(device, enabled=False) if known else nullcontext()
