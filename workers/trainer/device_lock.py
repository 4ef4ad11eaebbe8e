"""One trainer a GPU: a file that is locked (flock) as long as its process lives, however it ends.

The file says who holds it, for those who wait, and for the supervisor that ends a forgotten one
(workers.forgotten).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

_LOOK = 0.2


@contextmanager
def hold_device(path: Path | None, about: dict[str, Any], waits: Callable[[str], bool]) -> Iterator[bool]:
    """Holds the device's lock within the block, or with False was told not to wait any longer.

    `about`: the job, for others who wait. `waits` is told again and again who has the device, and says
    whether to wait on. Without a path, and where the file belongs to somebody else, there is no lock.
    """
    file = None if path is None else _open(path)
    if file is None:
        yield True
        return
    try:
        while not _locked(file):
            if not waits(_holder(file)):
                yield False
                return
            time.sleep(_LOOK)
        me = {"pid": os.getpid(), "create_time": psutil.Process().create_time(), **about}
        with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
            os.ftruncate(file, 0)
            os.pwrite(file, json.dumps(me).encode(), 0)
        yield True
    finally:
        os.close(file)


def read_holder(path: Path) -> dict[str, Any]:
    """What the last holder wrote; empty where that cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        value = json.loads(path.read_text())
        if isinstance(value, dict):
            return value
    return {}


def is_held(path: Path) -> bool:
    """Whether a process holds the lock."""
    file = _open(path)
    if file is None:
        return False
    try:
        return not _locked(file)
    finally:
        os.close(file)


def _open(path: Path) -> int | None:
    """A descriptor; None where it may not be opened. Never follows a link that another user has laid, nor
    takes a pipe or a device for the file."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        file = os.open(path, flags)
    except FileNotFoundError:
        pass
    except OSError:
        return None
    else:
        if stat.S_ISREG(os.fstat(file).st_mode):
            return file
        os.close(file)
        return None
    try:
        file = os.open(path, flags | os.O_CREAT, 0o666)
        os.fchmod(file, 0o666)  # any user's training may come next, whatever the umask of this one
    except OSError:
        return None
    return file


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: int) -> str:
    """`job X (process 123)`."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        told = json.loads(os.pread(file, 4096, 0))
        return f"job {str(told['job'])[-6:].lower()} (process {int(told['pid'])})"
    return "another training"
