"""Nothing is both trained and validated on."""

from __future__ import annotations

import pytest

from srqueue.datasets import DatasetEntry, Registry, check_validation, dataset_ref
from srqueue.errors import DataError, SpecError
from srqueue.run.listing import Listing, Picture
from srqueue.settings import Settings
from srqueue.spec.expand import expand
from workers.data_tools.copies import copies_of, first_of_each
from workers.duplicates import near_duplicates_within


@pytest.fixture
def registry(tmp_path) -> Registry:
    return Registry(Settings(datasets=tmp_path / "datasets.yaml"))


def register(registry: Registry, name: str, content: dict[str, str], held=(), listed=True, **more) -> None:
    """A data set of {path: one hex digit that stands for the content}."""
    pictures = tuple(
        Picture(path, 200, 200, 1, 1, digit * 64, held_out=path in held) for path, digit in content.items()
    )
    identity = f"{len(registry.names()):064x}"
    if listed:
        Listing(name, identity, "/hr", None, None, pictures, {}).write(registry.listing_file(name))
    registry.put(
        DatasetEntry(
            name,
            "/hr",
            identity,
            pictures=len(pictures),
            held_out=len(held),
            min_width=200,
            min_height=200,
            **more,
        )
    )


def spec_of(registry: Registry, **changes):
    return expand(dataset_ref(registry, "train"), overrides=[("test", changes)] if changes else []).spec


def test_two_sets_without_a_common_file_are_fine(registry) -> None:
    register(registry, "val", {"x.png": "c"})
    register(registry, "train", {"a.png": "a", "b.png": "b"}, val="val")
    check_validation(registry, spec_of(registry))


def test_a_common_file_is_named_under_both_names(registry) -> None:
    register(registry, "val", {"x.png": "c", "y.png": "b"})
    register(registry, "train", {"a.png": "a", "b.png": "b"}, val="val")
    with pytest.raises(DataError) as caught:
        check_validation(registry, spec_of(registry))
    assert "1 of 2 pictures of 'val' is trained on as well: b.png (there y.png)" in str(caught.value)


def test_the_same_pictures_under_another_name_are_told_as_all(registry) -> None:
    register(registry, "val", {"x.png": "a", "y.png": "b"})
    register(registry, "train", {"a.png": "a", "b.png": "b"}, val="val")
    with pytest.raises(DataError, match="all 2 pictures of the validation set 'val' are trained on"):
        check_validation(registry, spec_of(registry))


def test_what_is_held_out_of_the_training_set_may_be_validated_on(registry) -> None:
    register(registry, "val", {"x.png": "b"})
    register(registry, "train", {"a.png": "a", "b.png": "b"}, held=["b.png"], val="val")
    check_validation(registry, spec_of(registry))


def test_a_validation_set_that_is_not_here_is_told_with_the_command(registry) -> None:
    register(registry, "train", {"a.png": "a", "b.png": "b"}, held=["b.png"])
    register(registry, "last", {"x.png": "c"})
    spec = spec_of(registry, datasets={"val": {"name": "lost", "identity": None}})
    with pytest.raises(SpecError) as caught:
        check_validation(registry, spec)
    assert "'lost' is not registered" in str(caught.value)
    assert "did you mean 'last'?" in str(caught.value)
    assert "srqueue dataset add lost" in str(caught.value)


def test_a_validation_set_of_other_content_than_the_spec_names_is_refused(registry) -> None:
    register(registry, "train", {"a.png": "a", "b.png": "b"}, held=["b.png"])
    register(registry, "val", {"x.png": "c"})
    spec = spec_of(registry, datasets={"val": {"name": "val", "identity": "f" * 64}})
    with pytest.raises(DataError, match="other pictures than the spec names"):
        check_validation(registry, spec)


def test_the_own_share_must_not_be_empty(registry) -> None:
    register(registry, "train", {"a.png": "a", "b.png": "b"})
    spec = spec_of(registry, datasets={"val": {"name": "train"}})
    with pytest.raises(DataError, match="nothing to validate on"):
        check_validation(registry, spec)


def test_without_validation_or_without_listings_nothing_is_compared(registry) -> None:
    register(registry, "val", {"x.png": "a"}, listed=False)
    register(registry, "train", {"a.png": "a", "b.png": "b"}, val="val")
    check_validation(registry, spec_of(registry))
    check_validation(registry, spec_of(registry, val={"val_enabled": False}))


def test_copies_of_a_held_out_file_are_found() -> None:
    hashes = {"a": "1", "b": "2", "c": "1", "d": "3", "e": "2"}
    assert first_of_each(hashes) == {"a", "b", "d"}
    assert copies_of({"b"}, hashes) == {"e": "the same file as b, which is held out"}
    assert copies_of({"b", "e"}, hashes) == {}


def test_each_pair_of_alike_pictures_is_told_once(tmp_path, crop) -> None:
    from workers.data_tools.picture import inspect

    names = {"a": ("coffee", 40), "b": ("coffee", 42), "c": ("astronaut", 40), "d": ("coffee", 40)}
    found = {}
    for name, (photo, left) in names.items():
        crop(photo, left, 40, 160, 160).save(tmp_path / f"{name}.png")
        found[name] = inspect(tmp_path / f"{name}.png", thumbnail=True).thumbnail
    hits = near_duplicates_within(found)
    assert [{one, other} for one, other, _ in hits] == [{"a", "d"}, {"a", "b"}, {"b", "d"}]
    assert hits[0][2] == pytest.approx(1, abs=1e-5)
    assert near_duplicates_within({}) == []
