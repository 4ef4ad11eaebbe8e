"""Adam (Kingma and Ba, 2015)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from srqueue.spec.optimizers import AdamSpec


def adam(named: Mapping[str, nn.Parameter], spec: AdamSpec) -> list[torch.optim.Optimizer]:
    """torch's fused Adam; weight decay is added to the gradient."""
    return [
        torch.optim.Adam(
            list(named.values()), lr=spec.lr, betas=spec.betas, weight_decay=spec.weight_decay, fused=True
        )
    ]
