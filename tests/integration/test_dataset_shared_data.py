"""The benchmark pictures that lie beside the checkout: real names, real leaks, published figures."""

from __future__ import annotations

from pathlib import Path
from statistics import mean

import pytest

from srqueue.datasets import Registry, add, check, check_crop
from srqueue.settings import Settings

DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not (DATA / "test" / "Set5").is_dir(), reason=f"no benchmark pictures in {DATA}"),
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", datasets=tmp_path / "config" / "datasets.yaml")


def test_set5_with_its_lr_is_of_scale_2_and_gives_the_published_bicubic_figure(settings) -> None:
    entry = add(settings, "set5", DATA / "test" / "Set5", DATA / "test" / "Set5_LRx2")
    assert (entry.scale, entry.pictures, entry.quarantined) == (2, 5, 0)
    report = check(settings, "set5")
    assert report.sound
    # 33.649 dB from MATLAB's 8-bit LR, enlarged by imresize; torch's bicubic is within some thousandths.
    assert mean(pair["psnr"] for pair in report.pairs) == pytest.approx(33.649, abs=0.02)


@pytest.mark.parametrize("name", ["Set5", "Set14"])
def test_pairs_made_by_matlab_are_added_in_silence(settings, name) -> None:
    lines: list[str] = []
    add(settings, name, DATA / "test" / name, DATA / "test" / f"{name}_LRx2", tell=lines.append)
    assert [line for line in lines if not line.startswith(("scanned", "compared"))] == []


def test_set14_pairs_in_spite_of_its_grey_picture(settings) -> None:
    entry = add(settings, "set14", DATA / "test" / "Set14", DATA / "test" / "Set14_LRx2")
    assert (entry.scale, entry.pictures) == (2, 14)
    assert entry.kinds == {"grey": 1, "rgb": 13}
    assert check(settings, "set14").sound


def test_the_training_sets_are_whole_and_share_nothing_with_set5(settings) -> None:
    add(settings, "set5", DATA / "test" / "Set5", DATA / "test" / "Set5_LRx2")
    entry = add(settings, "cc0", DATA / "train", val="set5")
    assert (entry.pictures, entry.held_out, entry.quarantined) == (290, 0, 0)
    assert (entry.min_width, entry.min_height) == (78, 78)
    assert check_crop(Registry(settings), entry, lq_size=32, scale=2) is None
    assert "T91/t20.png (78x78)" in (check_crop(Registry(settings), entry, lq_size=64, scale=2) or "")
    assert check(settings, "cc0").sound
