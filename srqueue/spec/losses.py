"""Specs of the losses, told apart by `type`, as `train.losses` lists them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from srqueue.spec.base import Frozen


class WeightedSpec(Frozen):
    """What all losses have."""

    loss_weight: float = Field(1.0, gt=0, le=1000)


class L1Spec(WeightedSpec):
    """Mean absolute error."""

    type: Literal["l1"] = "l1"


class LumaSpec(WeightedSpec):
    """Mean absolute error of the luma (BT.601), which is what PSNR-Y and SSIM-Y look at."""

    type: Literal["luma"] = "luma"


class L2Spec(WeightedSpec):
    """Mean squared error."""

    type: Literal["l2"] = "l2"


class CharbonnierSpec(WeightedSpec):
    """sqrt(d^2 + eps^2), the form of SR (LapSRN, Lai et al. 2017)."""

    type: Literal["charbonnier"] = "charbonnier"
    eps: float = Field(1e-3, gt=0, le=1)


class SsimSpec(WeightedSpec):
    """1 - SSIM (Wang et al. 2004; 11x11 Gaussian of sigma 1.5, valid padding)."""

    type: Literal["ssim"] = "ssim"


class MsSsimSpec(WeightedSpec):
    """1 - MS-SSIM (Wang et al. 2003), at as many of its five scales as leave 11 pixels."""

    type: Literal["ms_ssim"] = "ms_ssim"


class FftSpec(WeightedSpec):
    """Mean absolute difference of the amplitudes of the orthonormal 2-D Fourier transform."""

    type: Literal["fft"] = "fft"


class GradientSpec(WeightedSpec):
    """Mean absolute difference of horizontal and vertical first differences."""

    type: Literal["gradient"] = "gradient"


LossSpec = Annotated[
    L1Spec | LumaSpec | L2Spec | CharbonnierSpec | SsimSpec | MsSsimSpec | FftSpec | GradientSpec,
    Field(discriminator="type"),
]
SMALLEST_CROP = {"ssim": 11, "ms_ssim": 11}
"""Pixels of an HR crop that a loss needs."""
