"""ParagonSR2 nano to xl: the tensor names and shapes of 2025-12-01, with flaws mended where shapes allow.

A fixed upsampler gives the base; a residual network gives the detail, times one gain per picture.
Mended: sub-pixel filters equal at the start (true ICNR), attention windows that reach the edge, replicated
instead of black borders in the fixed kernels, a pre-filter that sharpens instead of blurring, initial values
from the spec that do not damp the detail path.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srqueue.spec.networks import ParagonSR2Spec
from workers.trainer.archs.magic_upsampler import MagicUpsampler
from workers.trainer.archs.paragonsr2_blocks import SLOPE, ContentGain, ParagonBlock, ResidualGroup
from workers.trainer.archs.paragonsr2_variants import VARIANTS, Variant
from workers.trainer.archs.sub_pixel import SubPixel


class ParagonSR2(nn.Module):
    """One of VARIANTS; nano has 10,523 learnable values and 72 frozen ones at scale 2."""

    def __init__(self, variant: Variant, spec: ParagonSR2Spec, scale: int) -> None:
        super().__init__()
        self.scale, self.act = scale, spec.act
        channels = variant.channels
        self.magic_upsampler = MagicUpsampler(spec.alpha, scale)
        self.conv_in = nn.Conv2d(3, channels, 3, padding=1)
        self.content_processor = ContentGain(channels)
        self.body = nn.Sequential(
            *(
                ResidualGroup([ParagonBlock(variant, spec.layer_scale) for _ in range(variant.blocks)])
                for _ in range(variant.groups)
            )
        )
        self.conv_fuse = nn.Conv2d(channels, channels, 3, padding=1)
        self.upsampler_net = SubPixel(channels, scale)
        self.conv_out = nn.Conv2d(channels, 3, 3, padding=1)
        with torch.no_grad():
            self.conv_out.weight.mul_(spec.detail_gain)
            if self.conv_out.bias is not None:
                self.conv_out.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 3, scale * H, scale * W]."""
        deep = self.body(self._activated(self.conv_in(x)))
        deep = deep + self.conv_fuse(deep)
        detail = self.conv_out(self._activated(self.upsampler_net(deep)))
        base: Tensor = self.magic_upsampler(x)
        scaled: Tensor = self.content_processor(x) * detail
        return base + scaled

    def _activated(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, SLOPE) if self.act else x


def paragonsr2(spec: ParagonSR2Spec, scale: int) -> ParagonSR2:
    """The network of a spec whose type is one of VARIANTS."""
    return ParagonSR2(VARIANTS[spec.type], spec, scale)
