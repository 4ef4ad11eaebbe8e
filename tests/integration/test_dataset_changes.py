"""Zero-config after pictures of a registered folder came, went, or were replaced."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from srqueue.datasets import Registry, add
from srqueue.errors import DataError
from srqueue.run.listing import Listing
from srqueue.settings import Settings
from srqueue.zero_config import plan


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", datasets=tmp_path / "config" / "datasets.yaml", device="cpu")


def _save(file: Path, number: int, side: int = 144) -> None:
    piece = Image.fromarray(data.astronaut()).crop((40 * number, 100, 40 * number + 144, 244))
    piece.resize((side, side), Image.Resampling.BICUBIC).save(file)


@pytest.fixture
def hr(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(4):
        _save(folder / f"{number}.png", number)
    return folder


@pytest.fixture
def planned(settings, hr, capsys):
    """planned(lq=None): (name, identity, pictures, notes) of the data set that zero-config takes now."""

    def call(lq: Path | None = None) -> tuple[str, str, int, list[str]]:
        capsys.readouterr()
        train = plan("compact", hr, lq, settings=settings).spec.datasets.train
        entry = Registry(settings).get(train.name)
        assert train.identity == entry.identity
        notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
        return train.name, entry.identity, entry.pictures, notes

    return call


def _old(file: Path) -> None:
    """As a file that was copied together with its times."""
    os.utime(file, ns=(0, 0))


def test_an_untouched_folder_is_found_again(planned, hr) -> None:
    assert planned() == planned()
    (hr / "new.tif").write_bytes(b"of a format that is not read")
    (hr / ".hidden.png").write_bytes(b"")
    (hr / "0.png").touch()
    assert planned()[2:] == (4, [])


def test_a_picture_that_came_went_or_was_replaced_is_told_and_taken(settings, planned, hr) -> None:
    name, first, *_ = planned()
    _save(hr / "4.png", 4)
    _old(hr / "4.png")
    again, second, pictures, notes = planned()
    assert (again, pictures) == (name, 5)
    assert notes == [f"note: {name} is registered again, its folder changed: 1 new (4.png)"]
    (hr / "4.png").unlink()
    _, third, pictures, [note] = planned()
    assert "1 gone (4.png)" in note
    assert (third, pictures) == (first, 4)
    _save(hr / "1.png", 5)
    _, fourth, pictures, [note] = planned()
    assert "1 changed (1.png)" in note
    assert len({first, second, fourth}) == 3
    assert planned() == (name, fourth, 4, [])
    assert Registry(settings).names() == (name,)


def test_a_broken_picture_is_new_once_and_noticed_when_mended(settings, planned, hr) -> None:
    (hr / "broken.png").write_bytes(b"")
    _old(hr / "broken.png")
    name, *_ = planned()
    listing = Registry(settings).listing_file(name)
    assert list(Listing.read(listing).quarantined) == ["broken.png"]
    assert planned()[2:] == (4, [])
    (hr / "worse.png").write_bytes(b"no picture")
    assert "1 new (worse.png)" in planned()[3][0]
    assert planned()[2:] == (4, [])
    _save(hr / "broken.png", 6)
    os.utime(hr / "broken.png", ns=(0, listing.stat().st_mtime_ns + 1))
    _, _, pictures, [note] = planned()
    assert "1 changed (broken.png)" in note
    assert pictures == 5


def test_pictures_of_a_name_that_the_user_gave_are_refused_with_what_to_type(settings, planned, hr) -> None:
    before = add(settings, "mine", hr, licence="CC0")
    assert planned()[0] == "mine"
    _save(hr / "4.png", 4)
    (hr / "0.png").unlink()
    with pytest.raises(DataError) as caught:
        planned()
    assert "1 new (4.png), 1 gone (0.png)" in caught.value.message
    assert caught.value.hint is not None and f"dataset add mine --hr {hr} --replace" in caught.value.hint
    assert Registry(settings).get("mine") == before
    add(settings, "mine", hr, replace=True)
    assert planned()[0] == "mine"


def test_lr_pictures_count_as_well(settings, planned, hr, tmp_path) -> None:
    lr = tmp_path / "small"
    lr.mkdir()
    for number in range(4):
        _save(lr / f"{number}.png", number, side=72)
    (hr / "3.png").write_bytes(b"")
    name, first, pictures, _ = planned(lr)
    assert pictures == 3
    assert planned(lr) == (name, first, 3, []), "the LR picture of a broken one is nothing new"
    with Image.open(lr / "1.png") as picture:
        picture.point(lambda value: value // 2).save(lr / "1.png")
    again, second, _, [note] = planned(lr)
    assert "1 changed (LR 1.png)" in note
    assert again == name and second != first


def test_two_hr_folders_are_no_hr_and_lr_folder(settings, planned, hr, tmp_path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    for number in range(4):
        _save(small / f"{number}.png", number, side=72)
    add(settings, "both", [hr, small])
    assert planned(small)[0] != "both"
