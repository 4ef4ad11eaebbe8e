"""On-the-fly degradations of training crops, on the device that trains."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from kornia.filters import gaussian_blur2d
from numpy.typing import NDArray
from torch import Tensor

from srqueue.spec.degradations import (
    BlurSpec,
    DegradationSpec,
    DegradationsSpec,
    JpegSpec,
    NoiseSpec,
    ResizeSpec,
)
from workers.trainer.data.jpeg import jpeg
from workers.trainer.data.resize import bicubic
from workers.trainer.sampling import noise_words, uniforms

AFTER = 1024
"""Number of the first step behind the downscaling, so that a longer `before` changes nothing of `after`."""

_TRUNCATE = 4.0  # standard deviations of the blur's kernel to each side


class Degradations:
    """`degradations(lr, hr, iteration)` is the LR batch that iteration (0-based) trains on.

    What is done to slot s is a pure function of the seed, the iteration, s and the step: nothing here has a
    state. The target stays as it is: `before` works on a copy of HR, of which LR is made anew, so LR pictures
    of an LR folder do not count then.
    """

    def __init__(self, spec: DegradationsSpec, seed: int) -> None:
        self._spec, self._seed = spec, seed

    def __bool__(self) -> bool:
        return bool(self._spec.before or self._spec.after)

    @torch.no_grad()
    def __call__(self, lr: Tensor, hr: Tensor, iteration: int) -> Tensor:
        """lr [N, 3, h, w] and hr [N, 3, H, W], RGB float32 in 0..1 -> the LR batch, of 8-bit levels again."""
        with torch.autocast(lr.device.type, enabled=False):
            if self._spec.before:
                original = self._chain(hr * 255, self._spec.before, iteration, 0)
                small = _levels(bicubic(original, (lr.shape[-2], lr.shape[-1])))
            else:
                small = lr * 255
            small = _levels(self._chain(small, self._spec.after, iteration, AFTER))
        layout = torch.channels_last if _is_channels_last(lr) else torch.contiguous_format
        return small.div_(255).contiguous(memory_format=layout)

    def _chain(self, x: Tensor, steps: Sequence[DegradationSpec], iteration: int, first: int) -> Tensor:
        """`x` [N, 3, H, W] in 0..255 after the steps; clamped after each."""
        for step, spec in enumerate(steps, first):
            drawn = uniforms(self._seed, iteration, step, len(x))
            slots = np.flatnonzero(drawn[:, 0] < spec.probability)
            if not len(slots):
                continue
            value = _value(spec, drawn[slots, 1])
            where = _to_device(slots, x.device)
            some = x if len(slots) == len(x) else x.index_select(0, where)
            done = self._apply(spec, some, value, slots, iteration, step).clamp_(0, 255)
            x = done if len(slots) == len(x) else x.index_copy(0, where, done)
        return x

    def _apply(
        self,
        spec: DegradationSpec,
        x: Tensor,
        value: NDArray[np.float32],
        slots: NDArray[np.intp],
        iteration: int,
        step: int,
    ) -> Tensor:
        match spec:
            case BlurSpec():
                return blur(x, value, spec.sigma[1])
            case ResizeSpec():
                return resize_there_and_back(x, value)
            case JpegSpec():
                return jpeg(x, _to_device(value, x.device))
            case NoiseSpec():
                count = (1 if spec.grey else 3) * x.shape[-2] * x.shape[-1]
                words = np.stack(
                    [noise_words(self._seed, iteration, step, int(s), count + count % 2) for s in slots]
                )
                noise = normal(_to_device(words.view(np.int32), x.device))[:, :count]
                sigma = _to_device(value, x.device)[:, None, None, None]
                return x + sigma * noise.reshape(len(x), -1, *x.shape[-2:])


def blur(x: Tensor, sigma: NDArray[np.float32], largest: float) -> Tensor:
    """Gaussian blur of each of [N, 3, H, W] by its own `sigma` (pixels); borders are repeated outwards.

    The kernel's size follows from `largest`, so that it is the same in every iteration.
    """
    side = 2 * math.ceil(_TRUNCATE * largest) + 1
    both = _to_device(sigma, x.device)[:, None].expand(-1, 2)
    return gaussian_blur2d(x, (side, side), both, border_type="replicate")


def resize_there_and_back(x: Tensor, factor: NDArray[np.float32]) -> Tensor:
    """Each of [N, 3, H, W] resized by its own factor and back, by antialiased bicubic."""
    height, width = x.shape[-2], x.shape[-1]
    done = []
    for index, f in enumerate(factor.tolist()):
        one = x[index : index + 1]
        size = (max(1, round(height * f)), max(1, round(width * f)))
        done.append(bicubic(bicubic(one, size), (height, width)))
    return torch.cat(done)


def normal(words: Tensor) -> Tensor:
    """int32 [N, 2 k] random bits -> float32 [N, 2 k], normally distributed (Box and Muller, 1958).

    24 bits of each word count, so the largest value is 5.8.
    """
    uniform = (words & 0xFFFFFF).to(torch.float32)
    one, two = uniform[:, 0::2], uniform[:, 1::2]
    radius = (((one + 1) * 2.0**-24).log() * -2).sqrt()  # of (0, 1]: no logarithm of 0
    angle = two * (2.0**-24 * 2 * math.pi)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 2).flatten(1)


def _value(spec: DegradationSpec, u: NDArray[np.float64]) -> NDArray[np.float32]:
    """What u in [0, 1) means in the range of a step."""
    if isinstance(spec, JpegSpec):
        least, most = spec.quality
        return (least + np.floor(u * (most - least + 1))).astype(np.float32)
    low, high = spec.factor if isinstance(spec, ResizeSpec) else spec.sigma
    return (low + (high - low) * u).astype(np.float32)


def _levels(x: Tensor) -> Tensor:
    """Whole numbers 0..255."""
    return x.round().clamp_(0, 255)


def _is_channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def _to_device(values: NDArray[np.generic], device: torch.device) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(values))
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor
