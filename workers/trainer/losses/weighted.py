"""The losses of a spec, each with its weight."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from srqueue.spec.losses import LossSpec
from workers.trainer.losses import LOSSES


class WeightedLosses(nn.Module):
    """The losses of a spec, each with its weight. `weights` may be changed between steps."""

    def __init__(self, specs: Sequence[LossSpec]) -> None:
        super().__init__()
        self.losses = nn.ModuleList(LOSSES[spec.type](spec) for spec in specs)
        self.given = tuple(spec.loss_weight for spec in specs)
        self.weights = list(self.given)
        kinds = [spec.type for spec in specs]
        self.names = [k if kinds.count(k) == 1 else f"{k}_{i}" for i, k in enumerate(kinds)]

    def forward(self, sr: Tensor, hr: Tensor) -> tuple[Tensor, Tensor]:
        """(weighted sum with gradient, the single values [len(names)] without)."""
        values = [loss(sr, hr) for loss in self.losses]
        weighted = [v * w for v, w in zip(values, self.weights, strict=True)]
        return sum(weighted[1:], start=weighted[0]), torch.stack([v.detach() for v in values])
