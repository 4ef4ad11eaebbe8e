"""Pictures that vanished or changed are noticed before a job is queued, from their sizes and times."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from srqueue.datasets import DatasetEntry, Registry, glance
from srqueue.run.listing import Listing, Picture
from srqueue.settings import Settings


@pytest.fixture
def known(tmp_path):
    """Registers `count` files with LR files beside them; returns (registry, entry)."""

    def register(count: int = 6) -> tuple[Registry, DatasetEntry]:
        registry, pictures = Registry(Settings(datasets=tmp_path / "datasets.yaml")), []
        for folder in ("hr", "lr"):
            (tmp_path / folder).mkdir()
        for i in range(count):
            name, data = f"p{i}.png", bytes([i % 256]) * 5
            files = [tmp_path / folder / name for folder in ("hr", "lr")]
            for file in files:
                file.write_bytes(data)
            high, low = (file.stat().st_mtime_ns for file in files)
            sha = hashlib.sha256(data).hexdigest()
            pictures.append(Picture(name, 9, 9, 5, high, sha, name, 5, low, sha))
        roots = str(tmp_path / "hr"), str(tmp_path / "lr")
        Listing("t", "a" * 64, *roots, 2, tuple(pictures), {}).write(registry.listing_file("t"))
        return registry, DatasetEntry("t", roots[0], "a" * 64, lr=roots[1], scale=2)

    return register


def test_files_that_are_as_they_were_are_no_news(known, tmp_path):
    registry, entry = known()
    os.utime(tmp_path / "hr/p0.png")  # copied anew
    (tmp_path / "hr/new.png").write_bytes(b"new")
    assert glance.glance(registry, entry) == []


def test_what_vanished_and_what_changed_is_named_with_what_to_type(known, tmp_path):
    registry, entry = known()
    (tmp_path / "hr/p1.png").unlink()
    (tmp_path / "lr/p2.png").unlink()
    (tmp_path / "hr/p3.png").write_bytes(b"another size")
    same = tmp_path / "lr/p4.png"
    same.write_bytes(b"abcde")
    os.utime(same, ns=(0, 0))
    (told,) = glance.glance(registry, entry)
    assert "the data set 't' are not those it was added with" in told
    assert "2 gone (p1.png, LR p2.png), 2 changed (p3.png, LR p4.png);" in told
    assert "srqueue dataset check t;" in told
    assert told.endswith(f"srqueue dataset add t --hr {tmp_path / 'hr'} --lr {tmp_path / 'lr'} --replace")


def test_a_folder_that_is_not_there_is_named(known, tmp_path):
    registry, entry = known()
    shutil.rmtree(tmp_path / "lr")
    (told,) = glance.glance(registry, entry)
    assert told.startswith(f"{tmp_path / 'lr'}, a folder of the data set 't', is not there")


def test_pairs_that_looked_wrong_when_they_were_added_are_told_again(known):
    registry, entry = known(3)
    file = registry.listing_file("t")
    listing = Listing.read(file)
    wrong = replace(listing.pictures[1], lr_remark="LR shows probably another picture")
    replace(listing, pictures=(listing.pictures[0], wrong, listing.pictures[2])).write(file)
    assert glance.glance(registry, entry) == [
        "1 of 3 pairs is probably wrong in the data set 't': p1.png; to see all: srqueue dataset check t"
    ]


def test_a_machine_without_the_listing_says_nothing(known):
    registry, entry = known()
    registry.listing_file("t").unlink()
    assert glance.glance(registry, entry) == []


def test_of_many_files_some_are_looked_at_all_over_the_data_set(known, tmp_path, monkeypatch):
    registry, entry = known(20)
    monkeypatch.setattr(glance, "MOST", 5)
    looked, real = [], Path.stat

    def stat(path, **how):
        looked.append(path)
        return real(path, **how)

    monkeypatch.setattr(Path, "stat", stat)
    assert glance.glance(registry, entry) == []
    files = [path for path in looked if str(path).endswith(".png")]
    assert len(files) == 10
    assert sorted(path.name for path in files if path.parent.name == "hr") == [
        "p0.png", "p12.png", "p16.png", "p4.png", "p8.png"
    ]  # fmt: skip


def test_few_files_are_read_where_all_have_another_time(known, tmp_path, monkeypatch):
    registry, entry = known(20)
    for file in (tmp_path / "hr").iterdir():
        os.utime(file, ns=(0, 0))
    read, real = [], glance.differs
    monkeypatch.setattr(glance, "differs", lambda *given: read.append(given) or real(*given))
    assert glance.glance(registry, entry) == []
    assert len(read) == glance.HASHED
