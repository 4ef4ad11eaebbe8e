"""Wrong pairs are told when a data set is added: rotated lists, shifts, swaps; degraded pairs are none."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage import data

from srqueue.datasets import Registry, add, check
from srqueue.run.listing import Listing
from srqueue.settings import Settings

NAMES = [f"{letter}.png" for letter in "abcdefgh"]
PLACES = [("coffee", 40, 40), ("coffee", 300, 100), ("chelsea", 100, 60), ("astronaut", 180, 20)]
PLACES += [("astronaut", 20, 330), ("chelsea", 250, 150), ("rocket", 230, 200), ("coffee", 200, 220)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", datasets=tmp_path / "config" / "datasets.yaml")


@pytest.fixture(params=[2, 4])
def scale(request) -> int:
    return request.param


@pytest.fixture
def folders(tmp_path: Path, scale: int) -> tuple[Path, Path]:
    """HR and LR of eight different pieces of photographs."""
    hr, lr = tmp_path / "hr", tmp_path / "lr"
    hr.mkdir()
    lr.mkdir()
    for name, place in zip(NAMES, PLACES, strict=True):
        piece = _piece(*place)
        piece.save(hr / name)
        _small(piece, scale).save(lr / name)
    return hr, lr


def _piece(photograph: str, left: int, top: int) -> Image.Image:
    return Image.fromarray(getattr(data, photograph)()).crop((left, top, left + 160, top + 144))


def _small(image: Image.Image, scale: int) -> Image.Image:
    return image.resize((image.width // scale, image.height // scale), Image.Resampling.BICUBIC)


def _degrade(folder: Path, how: Callable[[Image.Image], Image.Image]) -> None:
    for name in NAMES:
        with Image.open(folder / name) as picture:
            how(picture).save(folder / name)


def _warnings(settings: Settings, hr: Path, lr: Path, **more) -> list[str]:
    """The warnings of adding them as `pairs`."""
    lines: list[str] = []
    add(settings, "pairs", hr, lr, tell=lines.append, **more)
    return [line for line in lines if line.startswith("warning: ") and "pairs" in line]


def test_right_pairs_are_added_in_silence_with_their_median(settings, folders) -> None:
    assert _warnings(settings, *folders) == []
    listing = Listing.read(Registry(settings).listing_file("pairs"))
    assert all(p.lr_remark == "" for p in listing.pictures)
    measured = {pair["path"]: pair["psnr"] for pair in check(settings, "pairs", lambda line: None).pairs}
    assert {p.path: p.lr_psnr for p in listing.pictures} == measured
    median = np.median([p.lr_psnr for p in listing.training()])
    assert Registry(settings).get("pairs").pair_psnr == pytest.approx(median, abs=0.006)


def test_a_rotated_list_is_told_as_no_pairs_at_all(settings, folders) -> None:
    """No pair is an outlier among the others: all of them are equally bad."""
    hr, lr = folders
    pictures = [(lr / name).read_bytes() for name in NAMES]
    for name, content in zip(NAMES, [*pictures[1:], pictures[0]], strict=True):
        (lr / name).write_bytes(content)
    [line] = _warnings(settings, hr, lr)
    assert "8 of 8 pairs do not look like pairs: a.png (" in line
    assert " dB, LR shows probably another picture), b.png (" in line
    assert "e.png" in line and "f.png" not in line and "and 3 more" in line
    assert line.endswith("srqueue dataset check pairs shows all")
    assert "\n" not in line
    assert Registry(settings).get("pairs").pictures == 8, "it is told, not refused"
    assert len([pair for pair in check(settings, "pairs", lambda line: None).pairs if pair["remark"]]) == 8


def test_two_swapped_pictures_are_told(settings, folders) -> None:
    hr, lr = folders
    one, other = (lr / "b.png").read_bytes(), (lr / "g.png").read_bytes()
    (lr / "b.png").write_bytes(other)
    (lr / "g.png").write_bytes(one)
    [line] = _warnings(settings, hr, lr)
    assert "2 of 8 pairs may be wrong: b.png (" in line
    assert line.count("another picture") == 2 and "g.png (" in line


@pytest.mark.parametrize("quality", [None, 30])
def test_one_pair_shifted_by_one_pixel_is_told(settings, folders, scale, quality) -> None:
    hr, lr = folders
    left, top = PLACES[3][1:]
    moved = _small(_piece(PLACES[3][0], left + 1, top), scale)
    (lr / "d.png").unlink()
    moved.save(lr / "d.jpg", quality=quality) if quality else moved.save(lr / "d.png")
    [line] = _warnings(settings, hr, lr)
    assert "1 of 8 pairs may be wrong: d.png (" in line
    assert "shifted by -1, 0 HR pixels" in line


def _jpeg(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=20)
    return Image.open(buffer)


def _noisy(picture: Image.Image) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 25, (picture.height, picture.width, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).round().astype(np.uint8))


def _darker(picture: Image.Image) -> Image.Image:
    return picture.point(lambda value: round(value * 0.6))


@pytest.mark.parametrize("how", [_jpeg, _noisy, _darker])
def test_degraded_pairs_are_pairs(settings, folders, how) -> None:
    _degrade(folders[1], how)
    assert _warnings(settings, *folders) == []


@pytest.mark.parametrize("how", [_jpeg, _noisy, _darker])
def test_a_set_degraded_as_a_whole_is_told_in_one_note(settings, folders, how) -> None:
    _degrade(folders[1], how)
    lines: list[str] = []
    add(settings, "pairs", *folders, tell=lines.append)
    [note] = [line for line in lines if "bicubic" in line]
    assert note.startswith("note: 'pairs': its LR pictures are not HR made small by bicubic: median ")


def _swapped(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(picture)[..., ::-1].copy())


def _half_as_bright(picture: Image.Image) -> Image.Image:
    return picture.point(lambda value: value // 2)


def _grey(picture: Image.Image) -> Image.Image:
    return picture.convert("L")


def _blurred(picture: Image.Image) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(1.5))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (_swapped, "red and blue swapped"),
        (_half_as_bright, "0.50 times as bright"),
        (_grey, "LR is grey and HR is coloured"),
        (_blurred, "far from HR made small"),
    ],
)
def test_one_pair_of_other_colours_light_or_sharpness_is_told_and_told_again(
    settings, folders, how, says
) -> None:
    hr, lr = folders
    with Image.open(lr / "a.png") as picture:
        how(picture).save(lr / "a.png")
    [line] = _warnings(settings, hr, lr)
    assert "1 of 8 pairs may be wrong: a.png (" in line and says in line
    assert _warnings(settings, hr, lr) == [line], "out of the listing"
    report = check(settings, "pairs", lambda line: None)
    assert [pair["path"] for pair in report.pairs if pair["remark"]] == ["a.png"]


def test_a_pair_that_may_be_wrong_is_not_held_out_unless_it_is_asked_for(settings, folders) -> None:
    hr, lr = folders
    add(settings, "before", hr, lr, tell=lambda line: None)
    [chosen] = [p.path for p in Listing.read(Registry(settings).listing_file("before")).held_out()]
    with Image.open(lr / chosen) as picture:
        _grey(picture).save(lr / chosen)
    lines: list[str] = []
    add(settings, "pairs", hr, lr, tell=lines.append)
    [instead] = [p.path for p in Listing.read(Registry(settings).listing_file("pairs")).held_out()]
    assert instead != chosen
    assert not [line for line in lines if "held out" in line]

    add(settings, "pairs", hr, lr, hold_out=[chosen], replace=True, tell=lines.append)
    assert any(f"held out as asked, though the pair may be wrong: {chosen};" in line for line in lines)


def test_where_all_pairs_may_be_wrong_none_is_held_out_and_that_is_told(settings, folders) -> None:
    hr, lr = folders
    _degrade(lr, _grey)
    lines: list[str] = []
    assert add(settings, "pairs", hr, lr, tell=lines.append).held_out == 0
    assert any("no pair is held out, because all may be wrong" in line for line in lines)


def test_every_second_pixel_is_a_way_to_make_lr(settings, folders, scale) -> None:
    hr, lr = folders
    for name in NAMES:
        with Image.open(hr / name) as picture:
            Image.fromarray(np.asarray(picture)[scale // 2 :: scale, scale // 2 :: scale]).save(lr / name)
    assert _warnings(settings, hr, lr) == []


def test_the_same_pictures_are_not_compared_again_but_told_again(settings, folders) -> None:
    hr, lr = folders
    shutil.copy(lr / "a.png", lr / "c.png")
    [line] = _warnings(settings, hr, lr)
    entry, file = Registry(settings).get("pairs"), Registry(settings).listing_file("pairs")
    listing = Listing.read(file)
    marked = tuple(replace(p, lr_psnr=7.0) if p.path == "c.png" else p for p in listing.pictures)
    replace(listing, pictures=marked).write(file)

    [again] = _warnings(settings, hr, lr)
    assert "c.png (7.00 dB, LR shows probably another picture)" in again
    shutil.copy(lr / "b.png", lr / "d.png")
    [more] = _warnings(settings, hr, lr, replace=True)
    assert "c.png (7.00 dB" in more and "d.png (" in more

    unmeasured = tuple(
        replace(p, lr_psnr=None, lr_remark=None, lr_fit=None, lr_gain=None) for p in listing.pictures
    )
    replace(listing, pictures=unmeasured).write(file)
    Registry(settings).put(replace(entry, pair_psnr=0.0))
    with Image.open(hr / "d.png") as picture:
        _small(picture, entry.scale).save(lr / "d.png")
    assert _warnings(settings, hr, lr) == [line]
    assert Registry(settings).get("pairs") == entry, "an entry of an older version is completed, not refused"
