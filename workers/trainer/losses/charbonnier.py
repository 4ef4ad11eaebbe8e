"""Charbonnier loss in the form of super-resolution (LapSRN; Lai et al., 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workers.trainer.losses.precision import at_least_float32


class CharbonnierLoss(nn.Module):
    """mean sqrt(d^2 + eps^2). (kornia's has scale 1: for small errors that is half of L2.)"""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """[N, 3, H, W] twice -> scalar, float32 (float64 of float64)."""
        return torch.sqrt((at_least_float32(sr) - hr).square() + self.eps**2).mean()
