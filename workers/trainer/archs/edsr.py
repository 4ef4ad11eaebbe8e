"""EDSR: residual blocks without batch normalisation (Lim et al., 2017).

The tensor names are those of BasicSR's files, and so are the fixed mean and range, which are no tensors.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from srqueue.spec.networks import EdsrSpec
from workers.trainer.archs.colour import Colour
from workers.trainer.archs.sub_pixel import icnr

ADDED_AT_FIRST = 0.1
"""What a fresh block adds, relative to its input; more makes a body of many blocks explode."""


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution; scaled and added."""

    def __init__(self, channels: int, res_scale: float) -> None:
        super().__init__()
        self.res_scale = res_scale
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        for conv in (self.conv1, self.conv2):
            _he(conv)
        with torch.no_grad():
            self.conv2.weight.mul_(min(1.0, ADDED_AT_FIRST / res_scale))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out."""
        deep: Tensor = self.conv2(self.relu(self.conv1(x)))
        return x + deep * self.res_scale


class Edsr(nn.Module):
    """A body at LR size with a skip over it, sub-pixel convolutions (x4: two of x2), one last convolution."""

    def __init__(self, num_feat: int, num_block: int, res_scale: float, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.colour = Colour()
        self.conv_first = nn.Conv2d(3, num_feat, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(num_feat, res_scale) for _ in range(num_block)))
        self.conv_after_body = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.upsample = nn.Sequential(*_upsampling(num_feat, scale))
        self.conv_last = nn.Conv2d(num_feat, 3, 3, padding=1)
        with torch.no_grad():
            self.conv_after_body.weight.mul_(ADDED_AT_FIRST)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 3, scale * H, scale * W]."""
        first = self.conv_first(self.colour.off(x))
        deep = first + self.conv_after_body(self.body(first))
        return self.colour.on(self.conv_last(self.upsample(deep)))


def edsr(spec: EdsrSpec, scale: int) -> Edsr:
    """The network of an EdsrSpec."""
    return Edsr(spec.num_feat, spec.num_block, spec.res_scale, scale)


def _upsampling(channels: int, scale: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for step in (2, 2) if scale == 4 else (scale,):
        conv = nn.Conv2d(channels, channels * step**2, 3, padding=1)
        icnr(conv, step)
        layers += [conv, nn.PixelShuffle(step)]
    return layers


@torch.no_grad()
def _he(conv: nn.Conv2d) -> None:
    """He et al., 2015: keeps the signal's size through convolution and ReLU."""
    nn.init.kaiming_normal_(conv.weight)
    if conv.bias is not None:
        conv.bias.zero_()
