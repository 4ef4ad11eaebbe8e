"""ParagonSR2 realtime and stream, with the tensor names and shapes of January 2026.

The same base as the older ones; the detail has one learned gain instead of one per picture, and neither
attention nor anything else that looks at a whole picture.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srqueue.spec.networks import ParagonSR2Spec
from workers.trainer.archs.magic_upsampler import MagicUpsampler
from workers.trainer.archs.paragonsr2_blocks import SLOPE, LayerScale
from workers.trainer.archs.sub_pixel import icnr


class InvertedBlock(nn.Module):
    """1x1 to twice the channels, depthwise 3x3, GELU, 1x1 back; scaled and added."""

    def __init__(self, channels: int, layer_scale: float) -> None:
        super().__init__()
        wide = 2 * channels
        self.conv1 = nn.Conv2d(channels, wide, 1)
        self.dw = nn.Conv2d(wide, wide, 3, padding=1, groups=wide)
        self.conv2 = nn.Conv2d(wide, channels, 1)
        self.scale = LayerScale(channels, layer_scale)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out."""
        deep: Tensor = self.scale(self.conv2(F.gelu(self.dw(self.conv1(x)))))
        return x + deep


class GatedBlock(nn.Module):
    """Depthwise 3x3 plain and dilated by 3, fused; then two halves that gate each other; scaled and added."""

    def __init__(self, channels: int, layer_scale: float) -> None:
        super().__init__()
        wide = 2 * channels
        self.dw1 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.dw3 = nn.Conv2d(channels, channels, 3, padding=3, dilation=3, groups=channels)
        self.fuse = nn.Conv2d(2 * channels, channels, 1)
        self.proj = nn.Conv2d(channels, 2 * wide, 1)
        self.gate = nn.Conv2d(2 * wide, 2 * wide, 3, padding=1, groups=2 * wide)
        self.out = nn.Conv2d(wide, channels, 1)
        self.scale = LayerScale(channels, layer_scale)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out."""
        context = self.fuse(torch.cat((self.dw1(x), self.dw3(x)), 1))
        one, other = self.gate(self.proj(context)).chunk(2, 1)
        deep: Tensor = self.scale(self.out(one * other))
        return x + deep


class Blocks(nn.Module):
    """Blocks in a row; only gives their tensors the prefix `blocks`."""

    def __init__(self, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out."""
        out: Tensor = self.blocks(x)
        return out


class ParagonSR2Live(nn.Module):
    """`groups`: of three blocks each."""

    def __init__(
        self,
        channels: int,
        groups: int,
        block: type[InvertedBlock] | type[GatedBlock],
        spec: ParagonSR2Spec,
        scale: int,
    ) -> None:
        super().__init__()
        self.scale, self.act = scale, spec.act
        self.base = MagicUpsampler(spec.alpha, scale, names=("sharp", "blur"), axes=("h", "v"))
        self.conv_in = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(
            *(Blocks([block(channels, spec.layer_scale) for _ in range(3)]) for _ in range(groups))
        )
        self.conv_mid = nn.Conv2d(channels, channels, 3, padding=1)
        widen = nn.Conv2d(channels, channels * scale**2, 3, padding=1)
        icnr(widen, scale)
        self.up = nn.Sequential(widen, nn.PixelShuffle(scale))
        self.conv_out = nn.Conv2d(channels, 3, 3, padding=1)
        self.detail_gain = nn.Parameter(torch.tensor(spec.detail_gain))
        if self.conv_out.bias is not None:
            nn.init.zeros_(self.conv_out.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 3, scale * H, scale * W]."""
        deep = self.conv_mid(self.body(self._activated(self.conv_in(x))))
        detail: Tensor = self.conv_out(self._activated(self.up(deep))) * self.detail_gain
        base: Tensor = self.base(x)
        return base + detail

    def _activated(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, SLOPE) if self.act else x


def paragonsr2_realtime(spec: ParagonSR2Spec, scale: int) -> ParagonSR2Live:
    """16 channels, one group of inverted blocks."""
    return ParagonSR2Live(16, 1, InvertedBlock, spec, scale)


def paragonsr2_stream(spec: ParagonSR2Spec, scale: int) -> ParagonSR2Live:
    """32 channels, two groups of gated blocks."""
    return ParagonSR2Live(32, 2, GatedBlock, spec, scale)
