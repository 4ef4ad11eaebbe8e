"""The losses: a table from `type` to the function that builds one.

A loss takes the network's output and the original, both RGB [N, 3, H, W] float in 0..1, and gives a scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from srqueue.spec.losses import LossSpec
from workers.trainer.losses.charbonnier import CharbonnierLoss
from workers.trainer.losses.l1 import L1Loss
from workers.trainer.losses.ssim import SsimLoss

LOSSES: dict[str, Callable[[Any], nn.Module]] = {
    "l1": lambda spec: L1Loss(),
    "charbonnier": lambda spec: CharbonnierLoss(spec.eps),
    "ssim": lambda spec: SsimLoss(),
}


class WeightedLosses(nn.Module):
    """The losses of a spec, each with its weight."""

    def __init__(self, specs: Sequence[LossSpec]) -> None:
        super().__init__()
        self.losses = nn.ModuleList(LOSSES[spec.type](spec) for spec in specs)
        self.weights = [spec.loss_weight for spec in specs]
        kinds = [spec.type for spec in specs]
        self.names = [k if kinds.count(k) == 1 else f"{k}_{i}" for i, k in enumerate(kinds)]

    def forward(self, sr: Tensor, hr: Tensor) -> tuple[Tensor, Tensor]:
        """(weighted sum with gradient, the single values [len(names)] without)."""
        values = [loss(sr, hr) for loss in self.losses]
        weighted = [v * w for v, w in zip(values, self.weights, strict=True)]
        return sum(weighted[1:], start=weighted[0]), torch.stack([v.detach() for v in values])
