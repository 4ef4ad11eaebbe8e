"""Wrong and shifted pairs, and pictures that are nearly the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from workers.data_tools.consistency import made_small
from workers.data_tools.pair_outliers import degradation_of, flag_outliers
from workers.data_tools.pair_quality import PairQuality, pair_quality
from workers.data_tools.picture import inspect
from workers.duplicates import near_duplicates
from workers.trainer.data.resize import resize_picture


@pytest.fixture
def pair_of(tmp_path, crop):
    """pair_of(hr, lr) -> PairQuality of the two pictures at scale 2."""

    def compare(hr: Image.Image, lr: Image.Image) -> PairQuality:
        hr.save(tmp_path / "hr.png")
        lr.save(tmp_path / "lr.png")
        return pair_quality("hr.png", tmp_path / "hr.png", tmp_path / "lr.png", 2)

    return compare


def _half(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)


def test_a_right_pair_gets_no_remark(crop, pair_of) -> None:
    hr = crop("coffee", 40, 40, 200, 160)
    quality = pair_of(hr, _half(hr))
    assert quality.remark is None
    assert quality.psnr is not None and 25 < quality.psnr < 45


def test_a_right_pair_of_16_bit_pictures_gets_no_remark_either(crop, pair_of) -> None:
    """Read as Pillow does, all but the darkest grey would be white."""
    hr = crop("coffee", 40, 40, 200, 160).convert("L")
    eight = pair_of(hr, _half(hr))
    deep = pair_of(*(Image.fromarray(np.asarray(p, np.uint16) * 257) for p in (hr, _half(hr))))
    assert deep == eight
    assert eight.remark is None


def test_another_picture_is_told(crop, pair_of) -> None:
    quality = pair_of(crop("coffee", 40, 40, 200, 160), _half(crop("astronaut", 100, 100, 200, 160)))
    assert quality.remark == "LR shows probably another picture"


def test_a_shift_is_told_with_its_size(crop, pair_of) -> None:
    quality = pair_of(crop("coffee", 40, 40, 200, 160), _half(crop("coffee", 42, 40, 200, 160)))
    assert quality.remark is not None
    assert "shifted by -2, 0" in quality.remark


def test_a_flat_picture_is_no_wrong_pair(pair_of) -> None:
    flat = Image.new("RGB", (64, 64), (90, 90, 90))
    assert pair_of(flat, _half(flat)) == PairQuality("hr.png", None, None, fit=99, gain=1)


def _array(picture: Image.Image, change: Callable[[np.ndarray], np.ndarray]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(change(np.asarray(picture))))


def test_swapped_channels_are_told_and_through_jpeg_too(tmp_path, crop, pair_of) -> None:
    hr = crop("coffee", 40, 40, 200, 160)
    swapped = _array(_half(hr), lambda a: a[..., ::-1])
    assert pair_of(hr, swapped).remark == "LR has red and blue swapped"
    swapped.save(tmp_path / "lossy.jpg", quality=30)
    assert pair_of(hr, Image.open(tmp_path / "lossy.jpg")).remark == "LR has red and blue swapped"
    turned = _array(_half(hr), lambda a: a[..., [1, 2, 0]])
    assert pair_of(hr, turned).remark == "LR has its colour channels in another order"


def test_swapped_channels_of_a_grey_picture_are_the_same_picture(crop, pair_of) -> None:
    grey = crop("coffee", 40, 40, 200, 160).convert("L").convert("RGB")
    assert pair_of(grey, _array(_half(grey), lambda a: a[..., ::-1])).remark is None


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_grey_picture_beside_a_coloured_one_is_told_whatever_the_file_is(crop, pair_of, mode) -> None:
    hr = crop("coffee", 40, 40, 200, 160)
    assert pair_of(hr, _half(hr).convert("L").convert(mode)).remark == "LR is grey and HR is coloured"
    black_and_white = hr.convert("L").convert("RGB")
    assert pair_of(black_and_white, _half(black_and_white).convert("L")).remark is None


def test_brightness_is_measured_and_judged_beside_the_others_only(crop, pair_of) -> None:
    hr = crop("coffee", 40, 40, 200, 160)
    dark = pair_of(hr, _half(hr).point(lambda value: value // 2))
    assert dark.remark is None and dark.gain == pytest.approx(0.5, abs=0.01)
    noisy = _array(
        _half(hr), lambda a: np.clip(a + np.random.default_rng(0).normal(0, 50, a.shape), 0, 255).astype("u1")
    )
    assert pair_of(hr, noisy).gain == 1, "noise that is cut off at black brightens, and is no other light"
    usual = [PairQuality(f"{i}", 30, None, 56, 1.0) for i in range(9)]
    flagged = flag_outliers([*usual, replace(dark, path="dark")])
    assert [(p.path, p.remark) for p in flagged if p.remark] == [
        ("dark", f"LR is {dark.gain:.2f} times as bright as HR, the median is 1.00")
    ]
    assert [p.remark for p in flag_outliers([replace(dark, path=str(i)) for i in range(9)])] == [None] * 9


def test_a_blurred_picture_among_sharp_ones_is_told_and_another_filter_is_not(crop, pair_of) -> None:
    hr = crop("coffee", 40, 40, 200, 160)
    usual = [PairQuality(f"{i}", 30, None, 56 + i / 10, 1.0) for i in range(9)]
    blurred = pair_of(hr, _half(hr).resize((25, 20)).resize((100, 80)))
    lanczos = pair_of(hr, hr.resize((100, 80), Image.Resampling.LANCZOS))
    flagged = flag_outliers([*usual, replace(blurred, path="blurred"), replace(lanczos, path="lanczos")])
    [told] = [pair for pair in flagged if pair.remark]
    assert told.path == "blurred" and told.remark is not None
    assert f"far from HR made small ({blurred.fit:.1f} dB, the median is 56.3)" in told.remark


def test_a_degraded_set_is_told_in_one_sentence() -> None:
    bicubic = [PairQuality(f"{i}", 30, None, 56.0, 1.0) for i in range(9)]
    noisy = [PairQuality(f"{i}", 20, None, 20.0 + i / 10, 1.0) for i in range(9)]
    assert degradation_of(bicubic) is None
    assert "not HR made small by bicubic: median 20.4 dB" in (degradation_of(noisy) or "")
    assert [pair.remark for pair in flag_outliers(noisy)] == [None] * 9
    assert degradation_of([PairQuality("old", 20.0)]) is None


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_what_lr_is_compared_with_is_what_the_trainer_makes(crop, scale) -> None:
    hr = np.array(crop("astronaut", 100, 20, 60 * scale, 48 * scale))
    ours, trainers = made_small(hr, (60, 48)), resize_picture(hr, (48, 60))
    assert np.abs(ours.astype(int) - trainers).max() <= 1
    assert np.mean(ours != trainers) < 0.001


def test_only_what_lies_far_below_the_others_is_an_outlier() -> None:
    usual = [PairQuality(f"{i}", 30 + i / 5) for i in range(10)]
    flagged = flag_outliers([*usual, PairQuality("bad", 15.0), PairQuality("equal", None)])
    assert [pair.path for pair in flagged if pair.remark] == ["bad"]
    assert flag_outliers(usual) == usual


def test_the_same_photograph_is_found_in_another_size_format_and_brightness(tmp_path, crop) -> None:
    hr = crop("astronaut", 100, 20, 300, 300)
    hr.save(tmp_path / "a.png")
    crop("chelsea", 20, 20, 200, 200).save(tmp_path / "b.png")
    hr.resize((200, 200), Image.Resampling.BICUBIC).point(lambda v: v * 0.8 + 20).save(
        tmp_path / "c.jpg", quality=70
    )
    small = {name: inspect(tmp_path / name, thumbnail=True).thumbnail for name in ("a.png", "b.png", "c.jpg")}
    hits = near_duplicates({"a.png": small["a.png"], "b.png": small["b.png"]}, {"c.jpg": small["c.jpg"]})
    assert [(train, val) for train, val, _ in hits] == [("a.png", "c.jpg")]
    assert 0.97 < hits[0][2] <= 1


def test_flat_pictures_are_nobodys_duplicates() -> None:
    flat = np.zeros(256, np.float32)
    assert near_duplicates({"a": flat}, {"b": flat}) == []
    assert near_duplicates({}, {"b": flat}) == []
