"""AdamW (Loshchilov and Hutter, 2019)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from srqueue.spec.optimizers import AdamWSpec


def adamw(named: Mapping[str, nn.Parameter], spec: AdamWSpec) -> list[torch.optim.Optimizer]:
    """torch's fused AdamW: no host synchronisation, deterministic on the CPU and on CUDA."""
    return [
        torch.optim.AdamW(
            list(named.values()), lr=spec.lr, betas=spec.betas, weight_decay=spec.weight_decay, fused=True
        )
    ]
