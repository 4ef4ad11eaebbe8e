"""The folders of the stack: private, and on a disk with room."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from srqueue.errors import SrqueueError
from srqueue.settings import Settings

LOW_SPACE = 1_000_000_000
"""Bytes; below it a training may not find room for its checkpoints."""


def make_private(folder: Path) -> Path:
    """Makes `folder` where it is missing, for its owner only.

    Raises SrqueueError where it belongs to somebody else or is a link: its socket would not be ours alone.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.lstat()
    except OSError as error:
        raise SrqueueError(
            f"cannot make the folder: {error.strerror}",
            where=str(folder),
            hint="set SRQUEUE_HOME to a folder you can write to",
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise SrqueueError(
            "the folder is a link or belongs to another user",
            where=str(folder),
            hint="remove it, or set SRQUEUE_HOME to a folder of your own",
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)
    return folder


def prepare(settings: Settings) -> None:
    """Makes the home folder and what the stack keeps in it."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SrqueueError(
            f"cannot make the home folder of SRQUEUE_HOME: {error.strerror}",
            where=str(settings.home),
            hint="set SRQUEUE_HOME to a folder you can write to",
        ) from None
    make_private(settings.home / "run")
    make_private(settings.logs)
    make_private(settings.socket.parent)


def free_bytes(path: Path) -> int:
    """Free bytes on the disk that holds `path`, which need not be there yet."""
    there = path.absolute()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def low_space(settings: Settings) -> str | None:
    """A warning where the disk of the run folders is almost full, else None."""
    free = free_bytes(settings.runs_root)
    if free >= LOW_SPACE:
        return None
    return f"only {free / 1e6:.0f} MB are free on the disk of {settings.runs_root}: checkpoints may not fit"
