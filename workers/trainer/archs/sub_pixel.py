"""Sub-pixel convolution (Shi et al., 2016) whose pixels start equal."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SubPixel(nn.Module):
    """3x3 convolution to scale^2 as many channels, then PixelShuffle."""

    def __init__(self, channels: int, scale: int) -> None:
        super().__init__()
        self.up_conv = nn.Conv2d(channels, channels * scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)
        icnr(self.up_conv, scale)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C, scale * H, scale * W]."""
        out: Tensor = self.shuffle(self.up_conv(x))
        return out


@torch.no_grad()
def icnr(conv: nn.Conv2d, scale: int) -> None:
    """The scale^2 filters of an output channel start equal: no checkerboard (Aitken et al., 2017)."""
    kernel = torch.empty(conv.out_channels // scale**2, *conv.weight.shape[1:])
    nn.init.kaiming_normal_(kernel, mode="fan_in")
    conv.weight.copy_(kernel.repeat_interleave(scale**2, 0))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
