"""Mean absolute difference of the amplitudes of the 2-D Fourier transform."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workers.trainer.losses.precision import at_least_float32


class FftLoss(nn.Module):
    """mean ||rfft2(sr)| - |rfft2(hr)||, orthonormal, over the half spectrum that a real picture has.

    It does not see phases (a picture turned by 180 degrees is equal to it), so it goes beside another loss.
    """

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """[N, 3, H, W] twice -> scalar, computed in float32 (float64 of float64)."""
        with torch.autocast(sr.device.type, enabled=False):
            return (_amplitude(at_least_float32(sr)) - _amplitude(at_least_float32(hr))).abs().mean()


def _amplitude(x: Tensor) -> Tensor:
    """[..., H, W] -> [..., H, W // 2 + 1]. torch's gradient of |z| at z = 0 is 0, so it stays finite."""
    spectrum: Tensor = torch.fft.rfft2(x, norm="ortho")
    return spectrum.abs()
