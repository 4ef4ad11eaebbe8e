"""The measure of detail that zero-config looks at, and what the registry keeps of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from scipy.ndimage import convolve

from srqueue.run.listing import Picture
from workers.data_tools.sharpness import SIDE, middle_luma, sharpness
from workers.data_tools.statistics import statistics

PLACES = [("astronaut", 100, 20), ("coffee", 200, 80), ("chelsea", 60, 40)]


def measure(image: Image.Image) -> float:
    return sharpness(middle_luma(image))


@pytest.mark.parametrize("place", PLACES)
def test_it_is_what_its_definition_says(crop, place) -> None:
    image = crop(*place, 200, 160)
    luma = np.asarray(image.convert("L"), np.float64)
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    laplacian = convolve(luma, kernel)[1:-1, 1:-1]
    assert measure(image) == pytest.approx(laplacian.std() / luma.std(), rel=1e-5)


@pytest.mark.parametrize("place", PLACES)
def test_every_blur_lowers_it_further(crop, place) -> None:
    image = crop(*place, 200, 160)
    values = [measure(image.filter(ImageFilter.GaussianBlur(radius))) for radius in (0, 0.5, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0] / 4


@pytest.mark.parametrize(
    "method", [Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BILINEAR]
)
@pytest.mark.parametrize("place", PLACES)
def test_an_enlarged_picture_scores_lower_than_the_original(crop, place, method) -> None:
    small = crop(*place, 200, 160)
    assert measure(small.resize((400, 320), method)) < 0.6 * measure(small)


def test_contrast_and_depth_do_not_change_it(crop) -> None:
    image = crop(*PLACES[0], 200, 160).convert("L")
    dull = image.point(lambda v: v // 2 + 60)
    assert measure(dull) == pytest.approx(measure(image), rel=0.05)  # fewer levels: a little quantisation
    deep = Image.fromarray(np.asarray(image, np.uint16) * 257)
    assert measure(deep) == pytest.approx(measure(image), rel=1e-5)


def test_only_the_middle_of_a_large_picture_counts() -> None:
    pixels = np.zeros((SIDE + 200, SIDE + 300), np.uint8)
    inside = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    pixels[100:-100, 150:-150] = inside
    assert measure(Image.fromarray(pixels)) == measure(Image.fromarray(inside))


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 255))
def test_tiny_and_flat_pictures_have_none(width, height, value) -> None:
    assert measure(Image.new("L", (width, height), value)) == 0


def _picture(width: int, height: int, sharp: float | None) -> Picture:
    return Picture(f"{width}.png", width, height, 1, 1, "0" * 64, sharpness=sharp)


def test_the_figures_are_over_the_pictures() -> None:
    pictures = [_picture(100 + i, 400 - i, i / 100) for i in range(41)]
    assert statistics(pictures) == {
        "min_width": 100,
        "min_height": 360,
        "median_width": 120,
        "median_height": 380,
        "p5_side": 102,  # two of 41, which is just under 5 %, are below it
        "sharpness": 0.2,
        "pair_psnr": 0.0,
    }


def test_figures_of_one_picture_and_without_sharpness() -> None:
    figures = statistics([_picture(64, 48, None)])
    assert (figures["p5_side"], figures["median_width"], figures["sharpness"]) == (48, 64, 0.0)


@given(st.lists(st.integers(20, 5000), min_size=1, max_size=300))
def test_at_most_a_twentieth_of_the_sides_lies_below_p5(sides) -> None:
    p5 = statistics([_picture(side, side, 0.5) for side in sides])["p5_side"]
    assert p5 in sides
    assert sum(side < p5 for side in sides) <= len(sides) / 20
    assert sum(side <= p5 for side in sides) >= len(sides) / 20
