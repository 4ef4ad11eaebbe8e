"""The losses: a table from `type` to the function that builds one.

A loss takes the network's output and the original, both RGB [N, 3, H, W] float in 0..1, and gives a scalar.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from workers.trainer.losses.charbonnier import CharbonnierLoss
from workers.trainer.losses.fft import FftLoss
from workers.trainer.losses.gradient import GradientLoss
from workers.trainer.losses.l1 import L1Loss
from workers.trainer.losses.l2 import L2Loss
from workers.trainer.losses.luma import LumaLoss
from workers.trainer.losses.ms_ssim import MsSsimLoss
from workers.trainer.losses.ssim import SsimLoss

LOSSES: dict[str, Callable[[Any], nn.Module]] = {
    "l1": lambda spec: L1Loss(),
    "luma": lambda spec: LumaLoss(),
    "l2": lambda spec: L2Loss(),
    "charbonnier": lambda spec: CharbonnierLoss(spec.eps),
    "ssim": lambda spec: SsimLoss(),
    "ms_ssim": lambda spec: MsSsimLoss(),
    "fft": lambda spec: FftLoss(),
    "gradient": lambda spec: GradientLoss(),
}
