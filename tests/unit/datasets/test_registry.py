"""The registry: reading, writing, and what is refused."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from srqueue.datasets import DatasetEntry, Registry, dataset_ref, locate
from srqueue.errors import DataError, SpecError, UsageError
from srqueue.run.listing import Listing, Picture
from srqueue.settings import Settings
from srqueue.spec.expand import expand
from srqueue.spec.presets import load_preset

ENTRY = DatasetEntry(name="cc0", hr="/pictures", identity="a" * 64, pictures=3, held_out=1, kinds={"rgb": 3})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", datasets=tmp_path / "config" / "datasets.yaml")


@pytest.fixture
def registry(settings: Settings) -> Registry:
    return Registry(settings)


def _write_listing(registry: Registry, entry: DatasetEntry) -> None:
    picture = Picture("a.png", 64, 64, 10, 1, "0" * 64)
    Listing(entry.name, entry.identity, entry.hr, entry.lr, entry.scale, (picture,), {}).write(
        registry.listing_file(entry.name)
    )


def test_a_registry_without_a_file_is_empty(registry: Registry) -> None:
    assert registry.entries() == ()
    assert registry.find("cc0") is None


def test_what_was_put_is_read_back(registry: Registry) -> None:
    odd = replace(ENTRY, name="odd", hr="/a b/'quoted'\n\x1b[31m/ünï/{{x}}", licence="CC0: 'yes' #1", scale=2)
    registry.put(ENTRY)
    registry.put(odd)

    assert registry.entries() == (ENTRY, odd)
    assert registry.get("odd") == odd


def test_an_unknown_name_is_answered_with_the_nearest_one_and_the_command(registry: Registry) -> None:
    registry.put(ENTRY)
    with pytest.raises(UsageError) as caught:
        registry.get("cc1")
    assert "did you mean 'cc0'?" in str(caught.value)
    assert "srqueue dataset add" in str(caught.value)


def test_removing_forgets_one_entry_and_leaves_the_others_and_the_listing(registry: Registry) -> None:
    registry.put(ENTRY)
    registry.put(replace(ENTRY, name="other"))
    _write_listing(registry, ENTRY)

    assert registry.remove("cc0") == ENTRY
    assert registry.names() == ("other",)
    assert registry.listing_file("cc0").is_file()


def test_a_set_that_another_one_validates_on_is_not_removed(registry: Registry) -> None:
    registry.put(ENTRY)
    registry.put(replace(ENTRY, name="other", val="cc0"))
    with pytest.raises(UsageError, match="other validates on 'cc0'"):
        registry.remove("cc0")
    assert registry.names() == ("cc0", "other")


def test_an_error_inside_a_change_writes_nothing(registry: Registry) -> None:
    registry.put(ENTRY)
    with pytest.raises(ZeroDivisionError), registry.changing() as entries:
        entries.clear()
        raise ZeroDivisionError
    assert registry.names() == ("cc0",)


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "", "a\nb", "x" * 65])
def test_a_name_that_could_leave_its_folder_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        registry.listing_file(name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cc0: 5\n", "must hold"),
        ("cc0: {hr: /a}\n", "identity"),
        (f"cc0: {{hr: /a, identity: {'a' * 64}, picures: 3}}\n", "did you mean 'pictures'"),
        (f"cc0: {{hr: /a, identity: {'a' * 64}, pictures: -3}}\n", "pictures"),
        (f"cc0: {{hr: /a, identity: {'a' * 64}, scale: 5}}\n", "scale"),
        ("cc0: {hr: /a, identity: xyz}\n", "identity"),
        (f"../cc0: {{hr: /a, identity: {'a' * 64}}}\n", "cannot be the name"),
        ("cc0: !!python/object/apply:os.getcwd []\n", "tags such as !!python"),
    ],
)
def test_a_file_that_was_edited_wrongly_is_told_with_the_key(
    registry: Registry, text: str, says: str
) -> None:
    registry.file.parent.mkdir(parents=True)
    registry.file.write_text(text)
    with pytest.raises(UsageError) as caught:
        registry.entries()
    assert says in str(caught.value)


def test_a_file_that_is_no_yaml_is_told(registry: Registry) -> None:
    registry.file.parent.mkdir(parents=True)
    registry.file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="not UTF-8"):
        registry.names()


def _put_many(settings: Settings, first: int) -> None:
    for number in range(first, first + 10):
        Registry(settings).put(replace(ENTRY, name=f"set{number}"))


def test_two_writers_lose_nothing(settings: Settings) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_put_many, args=(settings, first)) for first in (0, 100)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert len(Registry(settings).names()) == 20


def test_a_ref_names_the_held_out_share_by_the_sets_own_name(registry: Registry) -> None:
    registry.put(ENTRY)
    ref = dataset_ref(registry, "cc0")
    assert (ref.name, ref.identity, ref.scale) == ("cc0", "a" * 64, None)
    assert (ref.val_name, ref.val_identity) == ("cc0", "a" * 64)


def test_a_ref_names_the_other_set_and_takes_its_scale(registry: Registry) -> None:
    registry.put(replace(ENTRY, name="set5", identity="b" * 64, scale=2))
    registry.put(replace(ENTRY, val="set5", held_out=0))
    ref = dataset_ref(registry, "cc0")
    assert (ref.val_name, ref.val_identity, ref.scale) == ("set5", "b" * 64, 2)


def test_a_ref_of_a_set_without_held_out_pictures_validates_on_nothing(registry: Registry) -> None:
    registry.put(replace(ENTRY, held_out=0, pictures=1))
    assert dataset_ref(registry, "cc0").val_name is None


def test_locating_gives_the_listings(registry: Registry, tmp_path: Path) -> None:
    entry = replace(ENTRY, hr=str(tmp_path))
    registry.put(entry)
    _write_listing(registry, entry)
    spec = expand(dataset_ref(registry, "cc0")).spec

    file = str(registry.listing_file("cc0"))
    assert locate(registry, spec) == {"train": file, "val": file}


def test_locating_refuses_what_is_not_the_data_of_the_spec(registry: Registry, tmp_path: Path) -> None:
    entry = replace(ENTRY, hr=str(tmp_path))
    registry.put(entry)
    spec = expand(dataset_ref(registry, "cc0")).spec

    with pytest.raises(DataError, match="cannot read the list"):
        locate(registry, spec)

    _write_listing(registry, replace(entry, identity="c" * 64))
    with pytest.raises(DataError, match="do not agree"):
        locate(registry, spec)

    registry.put(replace(entry, identity="b" * 64))
    with pytest.raises(DataError, match="other pictures than the job was submitted with"):
        locate(registry, spec)

    registry.put(replace(entry, hr=str(tmp_path / "unplugged")))
    with pytest.raises(DataError, match="is not there"):
        locate(registry, spec)

    registry.remove("cc0")
    registry.put(replace(ENTRY, name="cc1"))
    with pytest.raises(UsageError, match="not registered on this machine") as caught:
        locate(registry, spec)
    assert "did you mean 'cc1'?" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["cc0", "sample"])
def test_the_data_set_presets_load_and_fix_the_scale(name: str) -> None:
    preset = load_preset(name, "datasets")
    assert preset.description
    assert preset.tree == {"scale": 2}
