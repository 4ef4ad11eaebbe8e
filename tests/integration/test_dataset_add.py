"""Adding data sets through the real tool process: listings, identities, caches, refusals."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srqueue.datasets import Registry, add, add_sample, dataset_ref, locate
from srqueue.errors import DataError, SrqueueError, UsageError
from srqueue.run.listing import Listing, identity_of, thumbnails_file
from srqueue.settings import Settings
from srqueue.spec.expand import expand
from workers.thumbnails import read_thumbnails, write_thumbnails

Written = Callable[..., Path]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", datasets=tmp_path / "config" / "datasets.yaml")


@pytest.fixture
def pictures(tmp_path: Path) -> Written:
    """pictures(folder, names, scale=1): crops of a photograph, made smaller by `scale`."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None and spec.origin is not None
    photograph = Image.open(Path(spec.origin).parent / "data" / "astronaut.png").convert("RGB")

    def write(folder: str, names: list[str], scale: int = 1) -> Path:
        root = tmp_path / folder
        for number, name in enumerate(names):
            left = 24 * number
            picture = photograph.crop((left, 60, left + 144, 60 + 132))
            small = picture.resize((144 // scale, 132 // scale), Image.Resampling.BICUBIC)
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            small.save(root / name)
        return root

    return write


def _listing(settings: Settings, name: str) -> Listing:
    return Listing.read(Registry(settings).listing_file(name))


def test_a_folder_becomes_a_data_set_that_a_job_finds(settings, pictures) -> None:
    root = pictures("hr", ["a.png", "sub/b.jpg", "c.webp"])
    entry = add(settings, "mine", root, licence="CC0", source="me")

    assert (entry.pictures, entry.held_out, entry.quarantined, entry.kinds) == (3, 1, 0, {"rgb": 3})
    assert (entry.min_width, entry.min_height, entry.scale, entry.lr) == (144, 132, None, None)
    assert (entry.licence, entry.source) == ("CC0", "me")
    assert Registry(settings).get("mine") == entry
    listing = _listing(settings, "mine")
    assert [p.path for p in listing.pictures] == ["a.png", "c.webp", "sub/b.jpg"]
    assert listing.identity == entry.identity == identity_of(listing.pictures, None)
    registry = Registry(settings)
    file = str(registry.listing_file("mine"))
    assert locate(registry, expand(dataset_ref(registry, "mine")).spec) == {"train": file, "val": file}


def test_adding_the_same_again_changes_nothing_and_another_is_refused(settings, pictures) -> None:
    root, other = pictures("hr", ["a.png", "b.png"]), pictures("other", ["a.png", "b.png", "c.png"])
    entry = add(settings, "mine", root, hold_out=["a"], licence="CC0")

    assert add(settings, "mine", root, hold_out=["a"]) == entry
    with pytest.raises(UsageError, match="already") as caught:
        add(settings, "mine", other)
    assert "--replace" in str(caught.value)
    with pytest.raises(UsageError, match="already"):
        add(settings, "mine", root, hold_out=["b"])
    assert Registry(settings).get("mine") == entry
    assert add(settings, "mine", other, replace=True).pictures == 3
    assert not [p for p in Registry(settings).listing_file("mine").parent.iterdir() if p.name.startswith(".")]


def test_pictures_that_did_not_change_are_not_hashed_again(settings, pictures) -> None:
    root = pictures("hr", ["a.png", "b.png"])
    add(settings, "mine", root)
    file = Registry(settings).listing_file("mine")
    listing = Listing.read(file)
    marked = tuple(replace(p, sha256="f" * 64) if p.path == "a.png" else p for p in listing.pictures)
    replace(listing, pictures=marked).write(file)
    sha256 = listing.pictures[0].sha256
    small = read_thumbnails(thumbnails_file(file))
    write_thumbnails(thumbnails_file(file), {**small, "f" * 64: small[sha256]})
    with (root / "b.png").open("ab") as changed:
        changed.write(b"\0")

    add(settings, "mine", root, replace=True)
    after = {p.path: p.sha256 for p in _listing(settings, "mine").pictures}
    before = {p.path: p.sha256 for p in listing.pictures}
    assert after["a.png"] == "f" * 64
    assert after["b.png"] != before["b.png"]


def test_the_identity_follows_pixels_and_held_out_share_and_nothing_else(settings, pictures) -> None:
    root, copy = pictures("hr", ["a.png", "b.png", "c.png"]), pictures("copy", ["a.png", "b.png", "c.png"])
    one = add(settings, "one", root, hold_out=["a"])
    assert add(settings, "two", copy, hold_out=["a.png"], licence="else").identity == one.identity
    assert add(settings, "three", copy, hold_out=["b"]).identity != one.identity


def test_broken_pictures_are_quarantined_and_never_touched(settings, pictures) -> None:
    root = pictures("hr", ["a.png", "b.png", "c.png"])
    whole = (root / "c.png").read_bytes()
    (root / "c.png").write_bytes(whole[: len(whole) // 2])
    (root / "zero.jpg").write_bytes(b"")
    lines: list[str] = []
    entry = add(settings, "mine", root, tell=lines.append)

    assert (entry.pictures, entry.quarantined) == (2, 2)
    quarantined = _listing(settings, "mine").quarantined
    assert quarantined["zero.jpg"] == "empty: 0 bytes"
    assert "cut off" in quarantined["c.png"]
    assert any("2 pictures cannot be used" in line for line in lines)
    assert (root / "c.png").read_bytes() == whole[: len(whole) // 2]


def test_a_set_without_one_whole_picture_is_refused(settings, tmp_path) -> None:
    (tmp_path / "hr").mkdir()
    for i in range(7):
        (tmp_path / "hr" / f"{i}.png").write_text("no picture")
    with pytest.raises(DataError) as caught:
        add(settings, "mine", tmp_path / "hr")
    text = str(caught.value)
    assert "none of the 7 pictures can be used: 0.png (not a PNG" in text
    assert "and 2 more" in text
    assert Registry(settings).names() == ()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_pairs_tell_their_scale(settings, pictures, scale) -> None:
    hr, lr = pictures("hr", ["a.png", "b.png"]), pictures("lr", [f"a_x{scale}.png", f"bx{scale}.png"], scale)
    entry = add(settings, "pairs", hr, lr)
    assert entry.scale == scale
    assert {p.path: p.lr_path for p in _listing(settings, "pairs").pictures} == {
        "a.png": f"a_x{scale}.png",
        "b.png": f"bx{scale}.png",
    }
    assert add(settings, "pairs", hr, lr) == entry


def test_a_broken_lr_picture_takes_its_pair_along(settings, pictures) -> None:
    hr, lr = pictures("hr", ["a.png", "b.png", "c.png"]), pictures("lr", ["a.png", "b.png", "c.png"], 2)
    (lr / "b.png").write_bytes(b"")
    assert add(settings, "pairs", hr, lr).pictures == 2
    assert _listing(settings, "pairs").quarantined == {"b.png": "its LR picture b.png: empty: 0 bytes"}


def test_folders_that_do_not_pair_are_refused_with_the_names(settings, pictures) -> None:
    hr, lr = pictures("hr", ["a.png", "b.png"]), pictures("lr", ["a.png", "z.png"], 2)
    with pytest.raises(DataError, match=r"1 of HR \(b\.png\), 1 of LR \(z\.png\)"):
        add(settings, "pairs", hr, lr)
    with pytest.raises(DataError, match="do not fit the scale 4"):
        add(settings, "pairs", hr, pictures("right", ["a.png", "b.png"], 2), scale=4)
    with pytest.raises(UsageError, match="inside the other"):
        add(settings, "pairs", hr.parent, hr)


def test_another_data_set_can_be_the_validation_set(settings, pictures) -> None:
    root, val = pictures("hr", ["a.png", "b.png"]), pictures("val", ["x.png", "y.png", "v.png"])
    with pytest.raises(UsageError, match="no data set 'val'"):
        add(settings, "mine", root, val="val")
    (val / "x.png").unlink()
    add(settings, "val", val)
    with pytest.raises(DataError, match=r"1 of 2 pictures of 'val' is trained on as well: b\.png \(there y"):
        add(settings, "mine", root, val="val")
    assert Registry(settings).names() == ("val",)
    (val / "y.png").unlink()
    add(settings, "val", val, replace=True)
    entry = add(settings, "mine", root, val="val")
    assert (entry.held_out, entry.val) == (0, "val")
    with pytest.raises(UsageError, match="not both"):
        add(settings, "mine", root, val="val", hold_out=["a"])
    with pytest.raises(UsageError, match="on itself"):
        add(settings, "mine", root, val="mine")


def test_pictures_of_formats_that_are_not_read_are_counted_by_their_ending(settings, pictures) -> None:
    root, more = pictures("hr", ["a.png", "b.png"]), pictures("more", ["a.png"])
    for name in ("x.TIF", "sub/y.tif", "z.bmp", ".hidden.bmp", "notes.txt"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"")
    (more / "w.heic").write_bytes(b"")
    lines: list[str] = []
    add(settings, "mine", [root, more], tell=lines.append)
    assert [line for line in lines if line.startswith("note: ")] == [
        "note: beside the HR pictures lie 1 .bmp, 1 .heic, 2 .tif, which are not read: convert them to PNG "
        "to have them in the data set"
    ]


def test_what_is_left_out_of_pictures_is_noted_once_with_their_number(settings, pictures) -> None:
    hr, lr = pictures("hr", ["a.png", "b.png", "c.png"]), pictures("lr", ["a.png", "b.png", "c.png"], 2)
    lines: list[str] = []
    add(settings, "plain", hr, lr, tell=lines.append)
    assert not [line for line in lines if line.startswith("note: ")]
    for file in (hr / "a.png", hr / "b.png", lr / "c.png"):
        with Image.open(file) as picture:
            picture.putalpha(200)
            picture.save(file)
    with Image.open(hr / "c.png") as picture:
        Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257).save(hr / "c.png")
    add(settings, "mine", hr, lr, tell=lines.append)
    assert [line for line in lines if line.startswith("note: ")] == [
        "note: 2 of 3 HR pictures say what is transparent, which is dropped: a.png, b.png",
        "note: 1 of 3 HR pictures have 16 bits a channel and are read as 8: c.png",
        "note: 1 of 3 LR pictures say what is transparent, which is dropped: c.png",
    ]


@pytest.mark.parametrize("name", ["../evil", "a/b", "a\x1bb", ".a"])
def test_a_name_that_could_leave_its_folder_is_refused(settings, pictures, name) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        add(settings, name, pictures("hr", ["a.png"]))


def test_names_that_differ_by_case_only_are_refused(settings, pictures) -> None:
    root = pictures("hr", ["a.png", "b.png"])
    add(settings, "mine", root)
    with pytest.raises(UsageError, match="upper and lower case"):
        add(settings, "Mine", root)


def test_strange_file_names_and_a_broken_exif_survive_the_way_to_the_listing(settings, pictures) -> None:
    names = ["new\nline.png", "esc\x1b[31m.png", "quote'\".png", os.fsdecode(b"caf\xe9.png")]
    try:
        root = pictures("hr", names)
    except OSError:
        root = pictures("hr", names[:3])
    with Image.open(root / names[2]) as picture:
        picture.save(root / "exif.jpg", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\xff")
    lines: list[str] = []
    entry = add(settings, "odd", root, tell=lines.append)
    found = {p.path for p in _listing(settings, "odd").pictures}
    assert found == {p.name for p in root.iterdir()}
    assert entry.quarantined == 0
    assert all(line.isprintable() for line in lines)


def test_a_tool_that_dies_is_told_without_a_traceback(settings, pictures, monkeypatch, tmp_path) -> None:
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "PIL.py").write_text("raise SystemExit('no PIL today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "shadow"))
    with pytest.raises(SrqueueError, match="ended with exit code 1: no PIL today"):
        add(settings, "mine", pictures("hr", ["a.png"]), tell=lambda line: None)


def test_missing_packages_are_named_with_the_install_command(settings, pictures, monkeypatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "PIL" else real(name, *a)
    )
    with pytest.raises(SrqueueError) as caught:
        add(settings, "mine", pictures("hr", ["a.png"]))
    assert "not installed: PIL" in str(caught.value)
    assert "pip install 'srqueue[worker]'" in str(caught.value)


def test_the_tool_runs_from_any_folder(settings, pictures, monkeypatch, tmp_path) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "PIL.py").write_text("raise SystemExit('code out of the current folder ran')")
    assert add(settings, "mine", pictures("hr", ["a.png", "b.png"])).pictures == 2


def test_the_sample_set_is_made_without_a_download_and_mends_itself(settings, monkeypatch) -> None:
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    entry = add_sample(settings)
    assert (entry.name, entry.pictures, entry.quarantined) == ("sample", 10, 0)
    held = [p.path for p in _listing(settings, "sample").held_out()]
    assert held == ["astronaut.png", "coffee.png"]
    assert entry.licence and "CC0" in entry.licence

    folder = Path(entry.hr)
    stamps = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    (folder / "rocket.png").write_bytes(b"")
    (folder / "chelsea.png").unlink()
    assert add_sample(settings) == entry
    kept = {p.name for p in folder.iterdir() if stamps[p.name] == p.stat().st_mtime_ns}
    assert kept == {
        f"{n}.png"
        for n in ("astronaut", "brick", "camera", "coffee", "grass", "gravel", "hubble_deep_field", "retina")
    }


def test_the_sample_set_does_not_take_a_users_name(settings, pictures) -> None:
    mine = add(settings, "sample", pictures("hr", ["a.png", "b.png"]))
    with pytest.raises(UsageError, match="already names other pictures"):
        add_sample(settings)
    assert Registry(settings).get("sample") == mine
