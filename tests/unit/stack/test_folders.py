"""The private folders of the stack."""

import os
import stat

import pytest

from srqueue.errors import SrqueueError
from srqueue.settings import Settings
from srqueue.stack import folders


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_socket_lies_in_a_folder_of_its_owner_alone(tmp_path):
    settings = Settings(home=tmp_path / "home")
    folders.prepare(settings)
    assert mode(settings.socket.parent) == 0o700
    assert mode(settings.home) == 0o700
    assert mode(settings.logs) == 0o700


def test_a_folder_that_others_may_enter_is_closed(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(0o777)
    folders.make_private(folder)
    assert mode(folder) == 0o700


def test_a_link_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SrqueueError, match="is a link or belongs to another user"):
        folders.make_private(tmp_path / "run")


def test_a_folder_of_somebody_else_is_refused(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    with pytest.raises(SrqueueError, match="is a link or belongs to another user"):
        folders.make_private(tmp_path / "run")


def test_a_long_home_path_puts_the_socket_into_the_temporary_folder(tmp_path, monkeypatch):
    settings = Settings(home=tmp_path / ("x" * 120))
    folders.prepare(settings)
    try:
        assert len(os.fsencode(settings.socket)) <= 100
        assert mode(settings.socket.parent) == 0o700
    finally:
        settings.socket.parent.rmdir()


def test_little_space_is_told_before_a_folder_is_made(tmp_path, monkeypatch):
    settings = Settings(home=tmp_path / "not" / "there")
    assert folders.free_bytes(settings.runs_root) > 0
    monkeypatch.setattr(folders, "LOW_SPACE", 10**18)
    assert "are free on the disk" in (folders.low_space(settings) or "")
    monkeypatch.setattr(folders, "LOW_SPACE", 0)
    assert folders.low_space(settings) is None
