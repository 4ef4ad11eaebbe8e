"""ParagonSR2 nano: the tensor names and shapes of 2025-12-01, with its flaws mended where shapes allow.

A fixed upsampler gives the base; a small residual network gives the detail, times one gain per picture.
Mended: sub-pixel filters equal at the start (true ICNR), attention windows that reach the edge, replicated
instead of black borders in the fixed kernels, a pre-filter that sharpens instead of blurring, initial values
from the spec that do not damp the detail path.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srqueue.spec.networks import ParagonSR2NanoSpec
from workers.trainer.archs.scalar_attention import scalar_attention
from workers.trainer.archs.windows import join, split, window_starts

CHANNELS = 12
HIDDEN = 14
BRANCH = 1
WINDOW, OVERLAP = 32, 8
SLOPE = 0.1


class SeparableBlur(nn.Module):
    """A fixed symmetric kernel along both axes of an RGB picture, borders replicated."""

    def __init__(self, kernel: list[float]) -> None:
        super().__init__()
        taps = len(kernel)
        self.margin = taps // 2
        self.conv_h = nn.Conv2d(3, 3, (1, taps), groups=3, bias=False)
        self.conv_v = nn.Conv2d(3, 3, (taps, 1), groups=3, bias=False)
        row = torch.tensor(kernel).expand(3, 1, 1, taps)
        with torch.no_grad():
            self.conv_h.weight.copy_(row)
            self.conv_v.weight.copy_(row.transpose(2, 3))
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W], same size out."""
        blurred: Tensor = self.conv_v(self.conv_h(F.pad(x, [self.margin] * 4, mode="replicate")))
        return blurred


class MagicUpsampler(nn.Module):
    """Nearest-neighbour enlargement between a fixed sharpening and a fixed 5-tap blur (Costella)."""

    def __init__(self, alpha: float, scale: int) -> None:
        super().__init__()
        self.alpha, self.scale = alpha, scale
        self.sharpen = SeparableBlur([-1 / 32, 0, 9 / 32, 16 / 32, 9 / 32, 0, -1 / 32])
        self.resample_conv = SeparableBlur([1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16])

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 3, scale * H, scale * W]; the kernel in `sharpen` is a low-pass S."""
        x = x + self.alpha * (x - self.sharpen(x))
        blurred: Tensor = self.resample_conv(F.interpolate(x, scale_factor=self.scale, mode="nearest"))
        return blurred


class InceptionDepthwise(nn.Module):
    """Depthwise 3x3, 1x7 and 7x1 on one channel each; the others pass through."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.sizes = [channels - 3 * BRANCH, BRANCH, BRANCH, BRANCH]
        self.dwconv_hw = nn.Conv2d(BRANCH, BRANCH, 3, padding=1, groups=BRANCH)
        self.dwconv_w = nn.Conv2d(BRANCH, BRANCH, (1, 7), padding=(0, 3), groups=BRANCH)
        self.dwconv_h = nn.Conv2d(BRANCH, BRANCH, (7, 1), padding=(3, 0), groups=BRANCH)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out."""
        same, square, row, column = torch.split(x, self.sizes, 1)
        return torch.cat((same, self.dwconv_hw(square), self.dwconv_w(row), self.dwconv_h(column)), 1)


class LayerScale(nn.Module):
    """One learned factor a channel (Touvron et al., 2021)."""

    def __init__(self, channels: int, value: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((1, channels, 1, 1), value))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out."""
        return x * self.gamma


class WindowAttention(nn.Module):
    """Single-head attention in windows of 32 with one-channel queries and keys; starts switched off."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, 1, 1)
        self.key = nn.Conv2d(channels, 1, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out. The logits are divided by the root of the number of tokens."""
        packed = torch.cat((self.query(x), self.key(x), self.value(x)), 1).float()
        size = [min(WINDOW, side) for side in x.shape[-2:]]
        rows, columns = (window_starts(side, WINDOW, WINDOW - OVERLAP) for side in (x.shape[-2], x.shape[-1]))
        windows = split(packed, rows, columns, size[0], size[1])
        tokens = windows.flatten(0, 1).flatten(2)
        with torch.autocast(x.device.type, enabled=False):
            a = tokens[:, 0] / math.sqrt(tokens.shape[-1])
            attended = scalar_attention(a, tokens[:, 1], tokens[:, 2:])
            maps = attended.reshape(*windows.shape[:2], -1, *size)
            return x + self.gamma * join(maps, rows, columns, OVERLAP)


class FeedForward(nn.Module):
    """1x1 in, depthwise 3x3, LeakyReLU, 1x1, attention, 1x1 out."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.project_in = nn.Conv2d(channels, hidden, 1)
        self.dw_mixer = nn.Sequential(
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Conv2d(hidden, hidden, 1),
        )
        self.attention = WindowAttention(hidden)
        self.project_out = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out."""
        out: Tensor = self.project_out(self.attention(self.dw_mixer(self.project_in(x))))
        return out


class ParagonBlock(nn.Module):
    """Depthwise context, then feed-forward, each scaled and added."""

    def __init__(self, layer_scale: float) -> None:
        super().__init__()
        self.context = InceptionDepthwise(CHANNELS)
        self.ls1 = LayerScale(CHANNELS, layer_scale)
        self.transformer = FeedForward(CHANNELS, HIDDEN)
        self.ls2 = LayerScale(CHANNELS, layer_scale)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], same size out."""
        x = x + self.ls1(self.context(x))
        deep: Tensor = self.ls2(self.transformer(x))
        return x + deep


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

    def __init__(self) -> None:
        super().__init__()
        few, more = CHANNELS // 4, CHANNELS // 2
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


class SubPixel(nn.Module):
    """3x3 convolution to scale^2 as many channels, then PixelShuffle."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.up_conv = nn.Conv2d(CHANNELS, CHANNELS * scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)
        _icnr(self.up_conv, scale)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C, scale * H, scale * W]."""
        out: Tensor = self.shuffle(self.up_conv(x))
        return out


class ParagonSR2Nano(nn.Module):
    """10,523 learnable values and 72 frozen ones at scale 2."""

    def __init__(self, alpha: float, detail_gain: float, layer_scale: float, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.magic_upsampler = MagicUpsampler(alpha, scale)
        self.conv_in = nn.Conv2d(3, CHANNELS, 3, padding=1)
        self.content_processor = ContentGain()
        self.body = nn.Sequential(ResidualGroup([ParagonBlock(layer_scale)]))
        self.conv_fuse = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.upsampler_net = SubPixel(scale)
        self.conv_out = nn.Conv2d(CHANNELS, 3, 3, padding=1)
        with torch.no_grad():
            self.conv_out.weight.mul_(detail_gain)
            if self.conv_out.bias is not None:
                self.conv_out.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 3, scale * H, scale * W]."""
        deep = self.body(self.conv_in(x))
        deep = deep + self.conv_fuse(deep)
        detail = self.conv_out(self.upsampler_net(deep))
        base: Tensor = self.magic_upsampler(x)
        scaled: Tensor = self.content_processor(x) * detail
        return base + scaled


def paragonsr2_nano(spec: ParagonSR2NanoSpec, scale: int) -> ParagonSR2Nano:
    """The network of a ParagonSR2NanoSpec."""
    return ParagonSR2Nano(spec.alpha, spec.detail_gain, spec.layer_scale, scale)


@torch.no_grad()
def _icnr(conv: nn.Conv2d, scale: int) -> None:
    """The scale^2 filters of an output channel start equal: no checkerboard (Aitken et al., 2017)."""
    kernel = torch.empty(conv.out_channels // scale**2, *conv.weight.shape[1:])
    nn.init.kaiming_normal_(kernel, mode="fan_in")
    conv.weight.copy_(kernel.repeat_interleave(scale**2, 0))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
