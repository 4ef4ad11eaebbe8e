"""Mean absolute error."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class L1Loss(nn.Module):
    """mean |sr - hr|."""

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """[N, 3, H, W] twice -> scalar, float32."""
        return F.l1_loss(sr.float(), hr)
