"""Wrong and shifted pairs, and pictures that are nearly the same."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from workers.data_tools.duplicates import near_duplicates
from workers.data_tools.pair_quality import PairQuality, flag_outliers, pair_quality
from workers.data_tools.picture import inspect


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
    assert pair_of(flat, _half(flat)) == PairQuality("hr.png", None, None)


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
