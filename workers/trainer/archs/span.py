"""SPAN: attention without parameters (Wan et al., 2024), in the plain form that it has after training.

The published training form replaces each 3x3 convolution by 1x1, 3x3, 1x1 and a skip, five times the
arithmetic of a step, and folds them afterwards. What is trained here is what is used: exactly the published
number of parameters, no folding that an averaged or pruned checkpoint could miss.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srqueue.spec.networks import SpanSpec
from workers.trainer.archs.colour import Colour
from workers.trainer.archs.sub_pixel import icnr

AFTER_SILU = math.sqrt(2)
"""SiLU, like ReLU, halves the mean square of what goes through it."""

BLOCKS_AT_FIRST = 0.1
"""Share of what comes out of blocks in the first pictures: until they have learned, it is noise."""


class AttentionBlock(nn.Module):
    """Three convolutions; what comes out also weighs itself and the input, by an odd sigmoid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.c1_r = nn.Conv2d(channels, channels, 3, padding=1)
        self.c2_r = nn.Conv2d(channels, channels, 3, padding=1)
        self.c3_r = nn.Conv2d(channels, channels, 3, padding=1)
        _keep_size(self.c1_r, 1.0)
        _keep_size(self.c2_r, AFTER_SILU)
        _keep_size(self.c3_r, AFTER_SILU)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[N, C, H, W] -> (result, the first convolution's activated output), same sizes."""
        first = F.silu(self.c1_r(x))
        deep = self.c3_r(F.silu(self.c2_r(first)))
        return (deep + x) * (torch.sigmoid(deep) - 0.5), first


class Span(nn.Module):
    """The features of the first convolution, of the first block, inside and after the last are joined."""

    def __init__(self, num_feat: int, num_block: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.colour = Colour()
        self.conv_1 = nn.Conv2d(3, num_feat, 3, padding=1)
        self.names = [f"block_{number}" for number in range(1, num_block + 1)]
        for name in self.names:
            self.add_module(name, AttentionBlock(num_feat))
        self.conv_2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_cat = nn.Conv2d(4 * num_feat, num_feat, 1)
        widen = nn.Conv2d(num_feat, 3 * scale**2, 3, padding=1)
        self.upsampler = nn.Sequential(widen, nn.PixelShuffle(scale))
        for conv in (self.conv_1, self.conv_2, self.conv_cat):
            _keep_size(conv, 1.0)
        icnr(widen, scale)
        with torch.no_grad():
            self.conv_cat.weight[:, num_feat:].mul_(BLOCKS_AT_FIRST)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 3, scale * H, scale * W]."""
        start = deep = self.conv_1(self.colour.off(x))
        kept = []
        for name in self.names:
            deep, first = self.get_submodule(name)(deep)
            kept.append(deep)
        joined = torch.cat((start, self.conv_2(deep), kept[0], first), 1)
        return self.colour.on(self.upsampler(self.conv_cat(joined)))


def span(spec: SpanSpec, scale: int) -> Span:
    """The network of a SpanSpec."""
    return Span(spec.num_feat, spec.num_block, scale)


@torch.no_grad()
def _keep_size(conv: nn.Conv2d, gain: float) -> None:
    """Features keep their size through the convolution, times `gain` (He et al., 2015).

    A block multiplies features with themselves: with torch's defaults the fourth block's are below 1e-3 of
    the first's, and the gradient in the third is 3e-9.
    """
    nn.init.normal_(conv.weight, std=gain / math.sqrt(conv.weight[0].numel()))
    if conv.bias is not None:
        conv.bias.zero_()
