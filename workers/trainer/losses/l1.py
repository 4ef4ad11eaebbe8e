"""Mean absolute error."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from workers.trainer.losses.precision import at_least_float32


class L1Loss(nn.Module):
    """mean |sr - hr|."""

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """[N, 3, H, W] twice -> scalar, float32 (float64 of float64)."""
        return F.l1_loss(at_least_float32(sr), hr)
