"""Data sets by way of a real S3 server: resumed, verified, registered, and bounded by a quota."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from srqueue.cli.app import app_for
from srqueue.datasets import Registry, locate
from srqueue.datasets.cache import hold
from srqueue.datasets.publishing import newest_name, publish
from srqueue.datasets.syncing import sync
from srqueue.errors import DataError, UsageError
from srqueue.remote.folder import RemoteFolder, RemoteUnreachable
from srqueue.run.listing import Listing
from tests.conftest import register_tiny
from tests.faults.s3 import S3Server


@pytest.fixture(scope="module")
def server(wait_until):
    server = S3Server(wait_until).start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server
    server.close()


@pytest.fixture
def remote(server, tmp_path):
    return RemoteFolder.open(f"s3://lab/{tmp_path.name}")


@pytest.fixture
def published(settings, pictures, remote):
    """The data set `tiny` of one machine, in the remote folder."""
    entry = register_tiny(pictures, settings)
    sent, _ = publish(Registry(settings), "tiny", remote)
    assert sent == 3 and publish(Registry(settings), "tiny", remote) == (0, 0)
    return entry


@pytest.fixture
def other(settings, tmp_path):
    """Settings of another machine."""
    more = {"home": tmp_path / "other", "datasets": tmp_path / "other" / "datasets.yaml"}
    return settings.model_copy(update=more)


def test_another_machine_has_the_same_pictures_and_trains_on_them(published, other, remote, tiny_spec):
    done = sync(other, "tiny", remote)
    listing = Listing.read(Registry(other).listing_file("tiny"))
    assert done.entry.identity == published.identity == listing.identity
    for picture in listing.pictures:
        mine, its = Path(published.hr, picture.path), Path(listing.hr_root, picture.path)
        assert its.read_bytes() == mine.read_bytes()
        assert its.stat().st_mtime_ns == picture.mtime_ns
    assert locate(Registry(other), tiny_spec(published.identity, 10))["train"]
    assert sync(other, "tiny", remote).bytes == 0


def test_a_transfer_that_broke_off_goes_on_where_it_was(published, other, remote, monkeypatch):
    seen = []
    read = RemoteFolder.read

    def breaks(self, name, start=None, end=None):
        seen.append(name)
        if len(seen) == 3:  # the list, one picture, and now
            raise RemoteUnreachable("gone")
        return read(self, name, start, end)

    monkeypatch.setattr(RemoteFolder, "read", breaks)
    with pytest.raises(RemoteUnreachable):
        sync(other, "tiny", remote)
    assert Registry(other).find("tiny") is None
    monkeypatch.undo()
    done = sync(other, "tiny", remote)
    assert 0 < done.bytes < sum(p.stat().st_size for p in done.folder.rglob("*.png"))


def tampered(remote, change):
    value = json.loads(remote.read(newest_name("tiny")))
    change(value)
    remote.write(newest_name("tiny"), json.dumps(value).encode())


@pytest.mark.parametrize(
    "path", ["../../evil.png", "/etc/evil.png", "a/../../b.png", ".hidden.png", "a\\b.png"]
)
def test_a_path_that_leaves_its_folder_is_refused(published, other, remote, path):
    tampered(remote, lambda value: value["listing"]["pictures"][0].update(path=path))
    with pytest.raises(DataError, match="does not hold"):
        sync(other, "tiny", remote)
    assert not other.data_root.exists()


def test_a_list_or_a_picture_that_was_changed_is_refused(published, other, remote):
    tampered(remote, lambda value: value["listing"]["pictures"][0].update(held_out=True))
    with pytest.raises(DataError, match="identity"):
        sync(other, "tiny", remote)
    tampered(remote, lambda value: value["listing"]["pictures"][0].update(held_out=False))
    name = next(iter(remote.names("datasets/files")))
    remote.write(name, b"x" * remote.size(name))
    with pytest.raises(DataError, match="SHA-256"):
        sync(other, "tiny", remote)
    with pytest.raises(UsageError, match="tiny"):
        sync(other, "small", remote)


def test_a_list_without_an_end_is_refused(published, other, remote):
    tampered(remote, lambda value: value["listing"]["pictures"][0].update(mtime_ns=float("inf")))
    with pytest.raises(DataError, match="no whole number"):
        sync(other, "tiny", remote)
    remote.write(newest_name("tiny"), b"[" * 100_000)
    with pytest.raises(DataError, match="nested too deep"):
        sync(other, "tiny", remote)
    assert not other.data_root.exists()


def test_what_was_used_least_recently_gives_way_but_nothing_in_use(
    published, other, remote, settings, pictures
):
    for name in ("second", "third"):
        entry = register_tiny(pictures, settings)
        listing = replace(Listing.read(Registry(settings).listing_file("tiny")), name=name)
        listing.write(Registry(settings).listing_file(name))
        Registry(settings).put(replace(entry, name=name))
        publish(Registry(settings), name, remote)
    size = sum(p.stat().st_size for p in pictures.iterdir())
    other = other.model_copy(update={"data_quota": int(2.5 * size)})
    first, second = (sync(other, name, remote).folder for name in ("tiny", "second"))
    os.utime(first / ".use", (1, 1))
    with hold(other, [str(first / "hr")]):
        assert sync(other, "third", remote).gave_way == ("second",)
        assert first.is_dir() and not second.exists()
        assert Registry(other).names() == ("third", "tiny")
        third = other.data_root / f"third-{published.identity[:16]}"
        with hold(other, [str(third / "hr")]), pytest.raises(DataError, match="SRQUEUE_DATA_QUOTA"):
            sync(other, "second", remote)
    assert sync(other, "second", remote).gave_way == ("tiny",)
    shutil.rmtree(other.data_root)


def test_the_commands_say_what_they_did(published, other, remote, monkeypatch, tmp_path):
    run = CliRunner()
    said = run.invoke(app_for([]), ["dataset", "publish", "tiny", remote.url])
    assert said.exit_code == 0 and "0 files uploaded" in said.stdout
    monkeypatch.setenv("SRQUEUE_HOME", str(other.home))
    monkeypatch.setenv("SRQUEUE_DATASETS", str(other.datasets))
    said = run.invoke(app_for([]), ["dataset", "sync", "tiny", remote.url, "--json"])
    assert json.loads(said.stdout)["identity"] == published.identity
