"""The mean colour taken off and put back, around networks without a skip for the picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MEAN = (0.4488, 0.4371, 0.4040)
"""RGB, 0..1, of DIV2K's training pictures (Lim et al., 2017)."""
RANGE = 255.0


class Colour(nn.Module):
    """Fixed, and not in the state dict."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1), persistent=False)

    def off(self, x: Tensor) -> Tensor:
        """RGB [N, 3, H, W] in 0..1 -> about -114 to 152, mean near 0."""
        return (x - self.mean) * RANGE

    def on(self, x: Tensor) -> Tensor:
        """The inverse of `off`."""
        return x / RANGE + self.mean
