"""Which files of a folder are pictures of a data set."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from srqueue.errors import DataError
from workers.data_tools.scan import say_broken, scan


def test_pictures_are_found_in_subfolders_and_sorted_and_hidden_ones_are_not(tmp_path, crop) -> None:
    for name in ("b.png", "a/z.jpg", "a/.hidden.png", ".cache/c.png", "a/B.WEBP"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        crop().save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    found = scan(tmp_path, "HR")
    assert found.paths == ["a/B.WEBP", "a/z.jpg", "b.png"]
    assert not found.broken


def test_broken_pictures_are_set_aside_with_their_reason(tmp_path, crop, capsys) -> None:
    crop().save(tmp_path / "good.png")
    (tmp_path / "zero\x07.png").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("no picture")
    found = scan(tmp_path, "HR")
    assert set(found.whole) == {"good.png"}
    assert found.broken == {"zero\x07.png": "empty: 0 bytes", "text.jpg": "not a PNG, JPEG or WebP picture"}

    say_broken(found.broken)
    told = capsys.readouterr().err
    assert "2 pictures cannot be used" in told
    assert "zero\\x07.png: empty" in told


def test_links_out_of_the_folder_are_refused_and_links_within_are_followed(tmp_path, crop) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    crop().save(root / "a.png")
    crop().save(outside / "secret.png")
    (root / "within.png").symlink_to("a.png")
    (root / "leaves.png").symlink_to(outside / "secret.png")
    (root / "up.png").symlink_to("../outside/secret.png")
    (root / "circle.png").symlink_to("circle.png")
    (root / "folder").symlink_to(outside)
    found = scan(root, "HR")
    assert set(found.whole) == {"a.png", "within.png"}
    assert found.broken.pop("circle.png")
    assert found.broken == {
        "leaves.png": "a link that leaves the folder",
        "up.png": "a link that leaves the folder",
        "folder/": "linked folders are not followed",
    }
    assert "folder/" not in found.paths


def test_a_name_that_is_not_utf8_is_a_picture_like_any_other(tmp_path, crop) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    try:
        crop().save(tmp_path / name)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert scan(tmp_path, "HR").paths == [name]


def test_each_way_to_have_no_pictures_has_its_own_message(tmp_path, monkeypatch) -> None:
    def told(root: Path) -> str:
        with pytest.raises(DataError) as caught:
            scan(root, "HR")
        assert caught.value.hint
        return str(caught.value)

    assert "does not exist" in told(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    assert "is a file" in told(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    assert "it is empty" in told(tmp_path / "empty")
    (tmp_path / "bmp").mkdir()
    for i in range(3):
        (tmp_path / "bmp" / f"{i}.bmp").write_bytes(b"BM")
    assert "3 .bmp: convert them to PNG" in told(tmp_path / "bmp")
    # Root may read anything, so the refusal is simulated.
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "cannot be read" in told(tmp_path / "empty")


def test_a_subfolder_that_cannot_be_read_is_an_error_not_a_gap(tmp_path, crop, monkeypatch) -> None:
    crop().save(tmp_path / "a.png")
    (tmp_path / "locked").mkdir()
    real = os.scandir

    def scandir(folder):
        if Path(folder).name == "locked":
            raise PermissionError(13, "Permission denied", str(folder))
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match="Permission denied"):
        scan(tmp_path, "HR")


def test_progress_is_told_once_a_second(tmp_path, crop, capsys, monkeypatch) -> None:
    for i in range(4):
        crop(width=16, height=16).save(tmp_path / f"{i}.png")
    clock = count(0, 0.5)
    monkeypatch.setattr("workers.data_tools.scan.time", SimpleNamespace(monotonic=lambda: next(clock)))
    scan(tmp_path, "HR")
    assert capsys.readouterr().err == "scanned 2/4\nscanned 4/4\n"
