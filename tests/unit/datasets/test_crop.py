"""Pictures that are smaller than a job's crop are left out, by name; none left is an error."""

from __future__ import annotations

import pytest

from srqueue.datasets import DatasetEntry, Registry, check_crop
from srqueue.errors import DataError, SpecError
from srqueue.run.listing import Listing, Picture
from srqueue.settings import Settings


@pytest.fixture
def known(tmp_path):
    """Registers a listing of pictures with these sides; returns (registry, entry)."""
    registry = Registry(Settings(datasets=tmp_path / "datasets.yaml"))

    def register(sides: list[int], listed: bool = True) -> tuple[Registry, DatasetEntry]:
        pictures = tuple(Picture(f"p{i}.png", side, 500, 1, 1, "0" * 64) for i, side in enumerate(sides))
        small_but_held_out = Picture("val.png", 8, 8, 1, 1, "0" * 64, held_out=True)
        listing = Listing("t", "a" * 64, "/hr", None, None, (*pictures, small_but_held_out), {})
        if listed:
            listing.write(registry.listing_file("t"))
        return registry, DatasetEntry("t", "/hr", "a" * 64, min_width=min(sides), min_height=500)

    return register


def test_pictures_of_exactly_the_crop_are_enough(known):
    assert check_crop(*known([128, 129]), lq_size=64, scale=2) is None


def test_the_first_five_small_pictures_are_named_and_the_rest_counted(known):
    notice = check_crop(*known([100, 101, 102, 103, 104, 105, 106, 300]), lq_size=64, scale=2)
    assert notice.startswith("7 of 8 pictures are smaller than the crop and left out: p0.png (100x500)")
    assert "p4.png" in notice
    assert "p5.png" not in notice
    assert notice.endswith("and 2 more")


def test_none_large_enough_is_an_error_that_names_the_largest_crop_that_fits(known):
    with pytest.raises(SpecError, match=r"lq_size=51"):
        check_crop(*known([100, 103]), lq_size=64, scale=2)


def test_pictures_smaller_than_any_crop_are_a_matter_of_the_pictures(known):
    with pytest.raises(DataError, match="as large as the smallest crop, 24 pixels"):
        check_crop(*known([20, 23]), lq_size=64, scale=3)


def test_a_machine_without_the_pictures_says_what_it_knows(known):
    assert "left out" in check_crop(*known([100, 300], listed=False), lq_size=64, scale=2)


def test_what_is_left_out_is_what_a_training_does_not_take(known):
    registry, _ = known([100, 128, 300])
    listing = Listing.read(registry.listing_file("t"))
    assert [p.path for p in listing.training(128)] == ["p1.png", "p2.png"]
