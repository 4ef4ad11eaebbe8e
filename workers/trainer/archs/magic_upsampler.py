"""The fixed upsampler under every ParagonSR2 network; its kernels are in the state dict and never learn."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOW_PASS = (-1 / 32, 0, 9 / 32, 16 / 32, 9 / 32, 0, -1 / 32)
"""What the pre-filter takes from a picture, times alpha, to sharpen it."""
BLUR = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""What smooths the enlarged pixels."""


class SeparableBlur(nn.Module):
    """A fixed symmetric kernel along both axes of an RGB picture, borders replicated."""

    def __init__(self, kernel: tuple[float, ...], names: tuple[str, str]) -> None:
        super().__init__()
        taps = len(kernel)
        self.margin = taps // 2
        along, down = (nn.Conv2d(3, 3, size, groups=3, bias=False) for size in ((1, taps), (taps, 1)))
        row = torch.tensor(kernel).expand(3, 1, 1, taps)
        with torch.no_grad():
            along.weight.copy_(row)
            down.weight.copy_(row.transpose(2, 3))
        self.add_module(names[0], along)
        self.add_module(names[1], down)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W], same size out."""
        x = F.pad(x, [self.margin] * 4, mode="replicate")
        for convolution in self.children():
            x = convolution(x)
        return x

    @property
    def kernel(self) -> Tensor:
        """The taps, as upstream's code keeps them beside the two convolutions that are made of them."""
        along = next(self.children())
        assert isinstance(along, nn.Conv2d)
        return along.weight[0].flatten()


class MagicUpsampler(nn.Module):
    """Nearest-neighbour enlargement between a fixed sharpening and a fixed 5-tap blur (Costella)."""

    def __init__(
        self,
        alpha: float,
        scale: int,
        names: tuple[str, str] = ("sharpen", "resample_conv"),
        axes: tuple[str, str] = ("conv_h", "conv_v"),
    ) -> None:
        super().__init__()
        self.alpha, self.scale = alpha, scale
        self.add_module(names[0], SeparableBlur(LOW_PASS, axes))
        self.add_module(names[1], SeparableBlur(BLUR, axes))

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 3, scale * H, scale * W]."""
        low_pass, blur = self.children()
        x = x + self.alpha * (x - low_pass(x))
        enlarged: Tensor = blur(F.interpolate(x, scale_factor=self.scale, mode="nearest"))
        return enlarged


def repeated_kernels(net: nn.Module) -> dict[str, Tensor]:
    """Tensors that upstream's files of January 2026 hold besides ours, with the only values that fit."""
    blurs = ((name, m) for name, m in net.named_modules() if isinstance(m, SeparableBlur))
    return {f"{name}.kernel": blur.kernel.detach() for name, blur in blurs}
