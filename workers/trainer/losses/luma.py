"""Mean absolute error of the luma."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workers.trainer.losses.precision import at_least_float32

BT601 = (0.299, 0.587, 0.114)
"""ITU-R BT.601: Y = 0.299 R + 0.587 G + 0.114 B, here of 0..1 and not scaled to the studio range."""


class LumaLoss(nn.Module):
    """mean |Y(sr) - Y(hr)|."""

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """[N, 3, H, W] twice -> scalar, float32 (float64 of float64)."""
        difference = at_least_float32(sr) - hr
        weights = torch.tensor(BT601, dtype=difference.dtype, device=difference.device).view(1, 3, 1, 1)
        return (difference * weights).sum(1).abs().mean()
