"""Bicubic x2 as the literature reports it (protocol P1), measured by the product's PSNR, SSIM and luma.

P1 (SRCNN, VDSR): the rounded Y of BT.601 is made small and large again by imresize of MATLAB; LR keeps its
fractions, the result is rounded to 8 bits; `scale` pixels are cut off the border. That imresize is written
here from its definition, in float64, and is first held against LR pictures that MATLAB itself made.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from statistics import mean

import numpy as np
import pytest
import torch
from PIL import Image

from workers.trainer.metrics import luma, psnr, ssim

DATA = Path(__file__).parents[3] / "shared" / "data" / "test"
SCALE = 2

pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not (DATA / "Set5").is_dir(), reason=f"no benchmark pictures in {DATA}"),
]


def cubic(x):
    """Keys' cubic convolution with a = -0.5."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


@lru_cache
def weights(length, size):
    """[size, length]: how each of `size` places is a sum over `length` pixels, borders mirrored."""
    ratio = size / length
    stretch = min(ratio, 1)  # the kernel is widened when the picture gets smaller: antialiasing
    matrix = np.zeros((size, length))
    for place in range(size):
        centre = (place + 0.5) / ratio - 0.5
        around = np.arange(math.floor(centre - 2 / stretch), math.ceil(centre + 2 / stretch) + 1)
        weight = cubic((around - centre) * stretch)
        mirrored = np.where(around < 0, -around - 1, around) % (2 * length)
        mirrored = np.where(mirrored >= length, 2 * length - 1 - mirrored, mirrored)
        np.add.at(matrix[place], mirrored, weight / weight.sum())
    return matrix


def imresize(x, size, between=lambda rows: rows):
    """[H, W] float64 -> `size` (height, width); `between` is done to what the first pass, over rows, gave."""
    return between(weights(x.shape[0], size[0]) @ x) @ weights(x.shape[1], size[1]).T


def eight_bits(x):
    """As MATLAB rounds: halves away from zero."""
    return np.floor(x + 0.5).clip(0, 255)


def read(file):
    """uint8 [H, W] or [H, W, 3], cut to whole multiples of the scale."""
    with Image.open(file) as image:
        pixels = np.array(image if image.mode == "L" else image.convert("RGB"))
    return pixels[: pixels.shape[0] // SCALE * SCALE, : pixels.shape[1] // SCALE * SCALE]


@pytest.mark.parametrize("name", ["Set5", "Set14"])
def test_this_imresize_is_matlabs_to_the_last_bit(name):
    """MATLAB rounds 8-bit pictures after each pass. Its outermost pixels differ: 3 are left out."""
    inner = (slice(3, -3), slice(3, -3))
    files = sorted((DATA / name).glob("*.png"))
    assert len(files) == {"Set5": 5, "Set14": 14}[name]
    for file in files:
        hr, theirs = read(file), read_lr(DATA / f"{name}_LRx2", file.stem)
        planes = hr[..., None] if hr.ndim == 2 else hr
        lr = theirs[..., None] if theirs.ndim == 2 else theirs
        for channel in range(lr.shape[-1]):
            plane = planes[..., min(channel, planes.shape[-1] - 1)].astype(np.float64)
            ours = eight_bits(imresize(plane, lr.shape[:2], between=eight_bits))
            assert np.array_equal(ours[inner], lr[..., channel][inner]), file.name


def read_lr(folder, stem):
    [file] = [p for p in folder.iterdir() if p.stem.startswith(stem)]
    with Image.open(file) as image:
        return np.array(image if image.mode == "L" else image.convert("RGB"))


def y_of(pixels):
    """float64 [H, W], whole numbers: the product's luma; a grey picture is its own."""
    if pixels.ndim == 2:
        return pixels.astype(np.float64)
    return luma(torch.from_numpy(pixels).permute(2, 0, 1)).numpy()


@pytest.mark.parametrize(
    ("name", "pictures", "published_psnr", "published_ssim"),
    [("Set5", 5, 33.66, 0.9299), ("Set14", 14, 30.24, 0.8688), ("B100", 100, 29.56, 0.8431)],
)
def test_bicubic_is_what_was_published(name, pictures, published_psnr, published_ssim):
    files = sorted((DATA / name).glob("*.png"))
    assert len(files) == pictures
    found = []
    for file in files:
        y = y_of(read(file))
        small = imresize(y, (y.shape[0] // SCALE, y.shape[1] // SCALE))
        large = eight_bits(imresize(small, y.shape))
        sr, hr = (torch.from_numpy(z[SCALE:-SCALE, SCALE:-SCALE].copy()) for z in (large, y))
        found.append((psnr(sr, hr), ssim(sr, hr)))
    assert mean(p for p, _ in found) == pytest.approx(published_psnr, abs=0.01)
    assert mean(s for _, s in found) == pytest.approx(published_ssim, abs=0.0002)
