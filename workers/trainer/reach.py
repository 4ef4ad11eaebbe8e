"""How far a network looks around a pixel: what neighbouring tiles must share."""

from __future__ import annotations

from math import prod

from torch import nn

LEAST = 16
"""LR pixels: for bicubic skips, attention windows and the like, which are no convolutions."""

MOST = 128
"""LR pixels. What a deeper network sees beyond this weighs far less than a level of 8 bits."""

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def reach_of(net: nn.Module) -> int:
    """LR pixels around a pixel that its result may depend on, LEAST to MOST.

    A bound read off the modules, not the receptive field itself: the convolutions are taken as if all stood
    in one chain at LR size. A network that knows better says so in an attribute `reach`.
    """
    known = getattr(net, "reach", None)
    if isinstance(known, int):
        return min(max(LEAST, known), MOST)
    layers = [m for m in net.modules() if isinstance(m, _CONVOLUTIONS)]
    shrunk = prod(max(m.stride) for m in layers if isinstance(m, nn.Conv2d))
    reach = shrunk * sum(max(map(_half, m.kernel_size, m.dilation)) for m in layers)
    return min(max(LEAST, reach), MOST)


def _half(kernel: int, dilation: int) -> int:
    return (kernel // 2) * dilation
