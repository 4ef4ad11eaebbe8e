"""Specs of on-the-fly degradations: what is done to training crops on the device, step by step.

Every range is [from, to]; a value is drawn evenly from it for each crop.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from srqueue.spec.base import Frozen

Probability = Annotated[float, Field(gt=0, le=1, description="of doing it to a crop")]


class _Ranged(Frozen):
    probability: Probability = 1.0

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        for name, value in self:
            if isinstance(value, tuple) and value[0] > value[1]:
                raise ValueError(f"{name} must rise: [from, to]")
        return self


class BlurSpec(_Ranged):
    """Isotropic Gaussian blur."""

    type: Literal["blur"] = "blur"
    sigma: tuple[Annotated[float, Field(gt=0, le=10)], Annotated[float, Field(gt=0, le=10)]] = (0.2, 2.0)


class NoiseSpec(_Ranged):
    """Additive Gaussian noise; its standard deviation is in levels of 0..255."""

    type: Literal["noise"] = "noise"
    sigma: tuple[Annotated[float, Field(ge=0, le=100)], Annotated[float, Field(ge=0, le=100)]] = (1.0, 15.0)
    grey: bool = Field(False, description="the same noise in all channels")


class JpegSpec(_Ranged):
    """JPEG compression and back."""

    type: Literal["jpeg"] = "jpeg"
    quality: tuple[Annotated[int, Field(ge=1, le=100)], Annotated[int, Field(ge=1, le=100)]] = (40, 95)


class ResizeSpec(_Ranged):
    """Resized by a factor and back to its size, by antialiased bicubic interpolation."""

    type: Literal["resize"] = "resize"
    factor: tuple[Annotated[float, Field(ge=0.1, le=4)], Annotated[float, Field(ge=0.1, le=4)]] = (0.5, 1.5)


DegradationSpec = Annotated[BlurSpec | NoiseSpec | JpegSpec | ResizeSpec, Field(discriminator="type")]


class DegradationsSpec(Frozen):
    """`before`: on the HR crop, from which LR is then made anew; `after`: on the LR crop."""

    before: tuple[DegradationSpec, ...] = ()
    after: tuple[DegradationSpec, ...] = ()
