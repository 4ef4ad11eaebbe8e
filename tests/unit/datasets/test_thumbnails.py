"""Thumbnails and the file that keeps them."""

from __future__ import annotations

import numpy as np
import pytest

from workers.data_tools.held_out import share
from workers.duplicates import with_a_near_duplicate
from workers.thumbnails import read_thumbnails, thumbnail_of, write_thumbnails


def test_what_was_written_is_read_to_the_bit(tmp_path, crop) -> None:
    made = {f"{i:064x}": thumbnail_of(crop("coffee", 40 * i, 20)) for i in range(1, 5)}
    made["f" * 64] = np.zeros(256, np.float32)
    write_thumbnails(tmp_path / "a.thumbnails", made)
    found = read_thumbnails(tmp_path / "a.thumbnails")
    assert found.keys() == made.keys()
    assert all(np.array_equal(found[key], made[key]) for key in made)
    assert np.linalg.norm(found[f"{1:064x}"]) == pytest.approx(1, abs=1e-6)
    assert (tmp_path / "a.thumbnails").stat().st_size < 5 * 288 + 1000


def test_a_lost_cut_or_foreign_file_is_as_good_as_none(tmp_path, crop) -> None:
    file = tmp_path / "a.thumbnails"
    assert read_thumbnails(file) == {}
    write_thumbnails(file, {})
    assert read_thumbnails(file) == {}
    write_thumbnails(file, {"a" * 64: thumbnail_of(crop())})
    whole = file.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"hello", whole.replace(b"levels", b"Levels")):
        file.write_bytes(content)
        assert read_thumbnails(file) == {}
    np.savez(tmp_path / "other.npz", sha256=np.zeros((2, 32), np.uint8), levels=np.zeros((3, 256), np.int8))
    assert read_thumbnails(tmp_path / "other.npz") == {}


def test_brightness_size_and_contrast_do_not_change_a_thumbnail(crop) -> None:
    picture = crop("astronaut", 100, 20, 300, 300)
    other = picture.resize((150, 150)).point(lambda value: value * 0.7 + 20)
    assert float(thumbnail_of(picture) @ thumbnail_of(other)) > 0.995


def test_only_what_is_like_another_picture_has_a_near_duplicate(crop) -> None:
    places = {"a": ("coffee", 40), "a2": ("coffee", 41), "b": ("astronaut", 40)}
    found = {name: thumbnail_of(crop(photo, left, 40, 160, 160)) for name, (photo, left) in places.items()}
    assert with_a_near_duplicate(["a", "b"], found) == {"a"}
    assert with_a_near_duplicate(["b"], found) == set()


def test_the_share_avoids_what_is_unwanted_while_there_are_others() -> None:
    names = [f"{i}.png" for i in range(250)]
    usual = share(names)
    other = share(names, unwanted=lambda some: usual & set(some))
    assert len(other) == len(usual) and not other & usual
    assert share(names, unwanted=lambda some: set(some) - usual) == usual
    assert share(names, unwanted=lambda some: some) == usual, "there are no others"
    wanted = {"17.png"}
    assert wanted < share(names, unwanted=lambda some: set(some) - wanted) <= usual | wanted
    assert share([*reversed(names)], unwanted=lambda some: usual & set(some)) == other
