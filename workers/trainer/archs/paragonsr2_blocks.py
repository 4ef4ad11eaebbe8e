"""The blocks of the ParagonSR2 networks of 2025-12-01."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workers.trainer.archs.paragonsr2_variants import Variant
from workers.trainer.archs.window_attention import WindowAttention

SLOPE = 0.1
"""Of every LeakyReLU here."""


class LayerScale(nn.Module):
    """One learned factor a channel (Touvron et al., 2021)."""

    def __init__(self, channels: int, value: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((1, channels, 1, 1), value))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out."""
        return x * self.gamma


class InceptionDepthwise(nn.Module):
    """Depthwise 3x3, 1xK and Kx1 on an eighth of the channels each; the others pass (Yu et al., 2024)."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        branch = max(1, channels // 8)
        self.sizes = [channels - 3 * branch, branch, branch, branch]
        half = kernel // 2
        self.dwconv_hw = nn.Conv2d(branch, branch, 3, padding=1, groups=branch)
        self.dwconv_w = nn.Conv2d(branch, branch, (1, kernel), padding=(0, half), groups=branch)
        self.dwconv_h = nn.Conv2d(branch, branch, (kernel, 1), padding=(half, 0), groups=branch)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out."""
        same, square, row, column = torch.split(x, self.sizes, 1)
        return torch.cat((same, self.dwconv_hw(square), self.dwconv_w(row), self.dwconv_h(column)), 1)


class ChannelModulation(nn.Module):
    """One factor in 0..1 a channel and picture, from the channels' means (Hu et al., 2018)."""

    sees = "the whole picture"

    def __init__(self, channels: int) -> None:
        super().__init__()
        few = max(1, channels // 4)
        self.net = nn.ModuleDict({"1": nn.Conv2d(channels, few, 1), "3": nn.Conv2d(few, channels, 1)})

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out."""
        # mean, not AdaptiveAvgPool2d: that has no deterministic backward on CUDA.
        means = F.relu(self.net["1"](x.mean((2, 3), keepdim=True)), inplace=True)
        return x * torch.sigmoid(self.net["3"](means))


class RmsNorm(nn.Module):
    """Each pixel divided by the root mean square of its channels (Zhang and Sennrich, 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))
        self.offset = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out, float32."""
        x = x.float()  # squares do not fit into float16
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-12) * self.scale + self.offset


class FeedForward(nn.Module):
    """1x1 in, depthwise 3x3, LeakyReLU, 1x1, attention, modulation, 1x1 out."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        hidden = variant.hidden
        self.project_in = nn.Conv2d(variant.channels, hidden, 1)
        self.dw_mixer = nn.Sequential(
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Conv2d(hidden, hidden, 1),
        )
        self.attention = WindowAttention(hidden) if variant.attention else nn.Identity()
        self.channel_mod = ChannelModulation(hidden) if variant.modulation else nn.Identity()
        self.project_out = nn.Conv2d(hidden, variant.channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out."""
        hidden = self.attention(self.dw_mixer(self.project_in(x)))
        out: Tensor = self.project_out(self.channel_mod(hidden))
        return out


class ParagonBlock(nn.Module):
    """Depthwise context, then feed-forward, each scaled and added; a norm at the end of the larger ones."""

    def __init__(self, variant: Variant, layer_scale: float) -> None:
        super().__init__()
        self.context = InceptionDepthwise(variant.channels, variant.kernel)
        self.ls1 = LayerScale(variant.channels, layer_scale)
        self.transformer = FeedForward(variant)
        self.ls2 = LayerScale(variant.channels, layer_scale)
        self.norm = RmsNorm(variant.channels) if variant.norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out."""
        x = x + self.ls1(self.context(x))
        x = x + self.ls2(self.transformer(x))
        out: Tensor = self.norm(x)
        return out


class ResidualGroup(nn.Module):
    """Blocks with an identity skip over them."""

    def __init__(self, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out."""
        deep: Tensor = self.blocks(x)
        return x + deep


class ContentGain(nn.Module):
    """One gain a picture for the detail, 0.05 to 0.20, from the LR picture."""

    sees = "the whole picture"

    def __init__(self, channels: int) -> None:
        super().__init__()
        few, more = channels // 4, channels // 2
        self.content_analyzer = nn.ModuleDict(
            {
                "0": nn.Conv2d(3, few, 3, padding=1),
                "2": nn.Conv2d(few, more, 5, padding=2),
                "4": nn.Conv2d(more, more, 7, padding=3),
                "7": nn.Conv2d(more, 1, 1),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 1, 1, 1]."""
        for name in ("0", "2", "4"):
            x = F.leaky_relu(self.content_analyzer[name](x), SLOPE, inplace=True)
        # mean, not AdaptiveAvgPool2d: that has no deterministic backward on CUDA.
        score = torch.sigmoid(self.content_analyzer["7"](x.mean((2, 3), keepdim=True)))
        return 0.05 + 0.15 * (1 - score)
