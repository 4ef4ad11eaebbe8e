"""Mean squared error."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from workers.trainer.losses.precision import at_least_float32


class L2Loss(nn.Module):
    """mean (sr - hr)^2."""

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """[N, 3, H, W] twice -> scalar, float32 (float64 of float64)."""
        return F.mse_loss(at_least_float32(sr), hr)
