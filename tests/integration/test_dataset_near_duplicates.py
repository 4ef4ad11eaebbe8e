"""Nearly the same photograph is not trained and validated on unnoticed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from srqueue.datasets import Registry, add, check
from srqueue.run.listing import Listing, thumbnails_file
from srqueue.settings import Settings

PLACES = [("coffee", 40, 40), ("coffee", 300, 100), ("chelsea", 100, 60), ("astronaut", 180, 20)]
PLACES += [("astronaut", 20, 330), ("chelsea", 250, 150)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", datasets=tmp_path / "config" / "datasets.yaml")


@pytest.fixture
def hr(tmp_path: Path) -> Path:
    """Six different pieces of photographs."""
    folder = tmp_path / "hr"
    folder.mkdir()
    for letter, (photograph, left, top) in zip("abcdef", PLACES, strict=True):
        picture = Image.fromarray(getattr(data, photograph)())
        picture.crop((left, top, left + 160, top + 144)).save(folder / f"{letter}.png")
    return folder


def _again(picture: Path, target: Path) -> None:
    """The same photograph, smaller and darker, as a JPEG."""
    with Image.open(picture) as image:
        image.resize((120, 108)).point(lambda value: value * 0.9).save(target, quality=70)


def _add(settings: Settings, name: str, folder: Path, **more) -> tuple[list[str], list[str]]:
    """(what is held out, lines that speak of pictures nearly the same)."""
    lines: list[str] = []
    add(settings, name, folder, tell=lines.append, **more)
    listing = Listing.read(Registry(settings).listing_file(name))
    return [p.path for p in listing.held_out()], [line for line in lines if "nearly the same" in line]


def test_the_share_is_another_picture_than_one_that_is_there_twice(settings, hr) -> None:
    [usual], told = _add(settings, "before", hr)
    assert told == []
    _again(hr / usual, hr / "again.jpg")
    [held], told = _add(settings, "mine", hr)
    assert held not in (usual, "again.jpg") and told == []
    assert check(settings, "mine", lambda line: None).sound
    assert _add(settings, "mine", hr) == ([held], []), "the same out of the kept thumbnails"
    shutil.copytree(hr, hr.parent / "copy")
    assert _add(settings, "copy", hr.parent / "copy") == ([held], [])


def test_where_all_pictures_are_there_twice_one_is_taken_and_told_by_name(settings, hr) -> None:
    for picture in list(hr.iterdir()):
        _again(picture, hr / f"{picture.stem}2.jpg")
    [held], [line] = _add(settings, "mine", hr)
    twin = f"{held[0]}2.jpg" if held.endswith("png") else f"{held[0]}.png"
    assert f"1 of 1 held-out pictures are nearly the same as one that is trained on: {held} ({twin})" in line
    assert "hold out others with --hold-out" in line


def test_what_is_held_out_as_asked_is_told_too(settings, hr) -> None:
    _again(hr / "a.png", hr / "again.jpg")
    held, [line] = _add(settings, "mine", hr, hold_out=["a", "b"])
    assert held == ["a.png", "b.png"]
    assert "1 of 2 held-out pictures" in line and "a.png (again.jpg)" in line
    assert _add(settings, "mine", hr, hold_out=["a", "again"], replace=True)[1] == []


def test_what_is_nearly_in_the_validation_set_is_told_by_both_names(settings, hr, tmp_path) -> None:
    val = tmp_path / "val"
    val.mkdir()
    _again(hr / "a.png", val / "x.jpg")
    picture = Image.fromarray(data.rocket())
    picture.crop((230, 200, 390, 344)).save(val / "y.png")
    add(settings, "val", val, hold_out=["y"], tell=lambda line: None)
    _, [line] = _add(settings, "mine", hr, val="val")
    assert "1 of 6 pictures are nearly the same as pictures of 'val', which is validated on" in line
    assert "a.png (there x.jpg)" in line and "take them out of one of the two and add it again" in line

    file = thumbnails_file(Registry(settings).listing_file("val"))
    content = file.read_bytes()
    file.unlink()  # as where an older version added it
    assert _add(settings, "mine", hr, val="val")[1] == [line]
    assert file.read_bytes() == content
    file.unlink()
    (val / "y.png").unlink()
    assert _add(settings, "mine", hr, val="val")[1] == [line]
    (val / "x.jpg").unlink()
    _again(hr / "b.png", val / "x.jpg")
    file.unlink()
    assert _add(settings, "mine", hr, val="val")[1] == [], "x.jpg is not what it was, which is told elsewhere"


def test_lost_thumbnails_are_made_again(settings, hr) -> None:
    held = _add(settings, "mine", hr)
    file = thumbnails_file(Registry(settings).listing_file("mine"))
    content = file.read_bytes()
    file.unlink()
    assert _add(settings, "mine", hr) == held
    assert file.read_bytes() == content
