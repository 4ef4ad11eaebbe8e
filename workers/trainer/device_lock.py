"""One trainer a GPU, or a few that share it: files are locked (flock) while a process lives, however it ends.

Who has the whole card holds its file alone. Who has a slot of it holds the card's file together with others,
and the file of a slot alone. Slots may be of different sizes: their shares never add up to more than one.

The file that is held alone says who holds it, for those who wait, and for the supervisor that ends a
forgotten one (workers.forgotten).
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

MOST_SLOTS = 16

_LOOK = 0.2
_ROUNDING = 1e-6


@contextmanager
def hold_device(
    path: Path | None, about: dict[str, Any], waits: Callable[[str], bool], slots: int = 1
) -> Iterator[bool]:
    """Holds the device, or one of `slots` of it, within the block, or with False was told to wait no longer.

    `about`: the job, for others who wait. `waits` is told again and again who has the device, and says
    whether to wait on. Without a path, and where the file belongs to somebody else, there is no lock.
    """
    card = None if path is None else _open(path)
    if path is None or card is None:
        yield True
        return
    me = {"pid": os.getpid(), "create_time": psutil.Process().create_time(), "share": 1 / slots, **about}
    held = [card]
    try:
        while (holder := _take(path, held, me)) is not None:
            if not waits(holder):
                yield False
                return
            time.sleep(_LOOK)
        yield True
    finally:
        for file in held:
            os.close(file)


def lock_files(path: Path) -> list[Path]:
    """The card's file, and those of its slots that there are."""
    return [path, *(file for number in range(1, MOST_SLOTS + 1) if (file := _slot(path, number)).exists())]


def read_holder(path: Path) -> dict[str, Any]:
    """What the last one who held it alone wrote; empty where that cannot be read."""
    with contextlib.suppress(OSError):
        return _parsed(path.read_bytes())
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


def _take(path: Path, held: list[int], me: dict[str, Any]) -> str | None:
    """Locks the card of `held`, or a slot of it, which joins `held`; who has it where that cannot be now."""
    card = held[0]
    if me["share"] == 1:
        if not _locked(card):
            return _holder(card)
        _write(card, me)
        return None
    if not _locked(card, fcntl.LOCK_SH):
        return _holder(card)
    slot, holder = _take_slot(path, me)
    if slot is None:
        fcntl.flock(card, fcntl.LOCK_UN)  # else one who waits for the whole card would never get it
        return holder
    held.append(slot)
    return None


def _take_slot(path: Path, me: dict[str, Any]) -> tuple[int | None, str]:
    """(a free slot's file, locked and written; who has another one), one taker at a time."""
    gate = _open(path.with_suffix(".gate"))
    free: list[int] = []
    share, holder = 0.0, "another training"
    try:
        if gate is not None and not _locked(gate):
            return None, holder
        files = [file for n in range(1, MOST_SLOTS + 1) if (file := _open(_slot(path, n))) is not None]
        if not files:  # they belong to somebody else: no lock, as for the card
            return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), holder
        for file in files:
            if _locked(file):
                free.append(file)
                continue
            share += _share(_read(file))
            holder = _holder(file)
            os.close(file)
        if not free or share + me["share"] > 1 + _ROUNDING:
            return None, holder
        _write(free[0], me)
        return free.pop(0), holder
    finally:
        for file in free:
            os.close(file)
        if gate is not None:
            os.close(gate)


def _share(told: dict[str, Any]) -> float:
    """Any user can write into the file: what makes no sense is a whole card."""
    share = told.get("share")
    return float(share) if isinstance(share, int | float) and 0 < share <= 1 else 1.0


def _slot(path: Path, number: int) -> Path:
    return path.with_suffix(f".{number}.lock")


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


def _locked(file: int, how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(file: int, me: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(me).encode(), 0)


def _read(file: int) -> dict[str, Any]:
    with contextlib.suppress(OSError):
        return _parsed(os.pread(file, 4096, 0))
    return {}


def _parsed(text: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        value = json.loads(text)
        if isinstance(value, dict):
            return value
    return {}


def _holder(file: int) -> str:
    """`job X (process 123)`."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        told = _read(file)
        return f"job {str(told['job'])[-6:].lower()} (process {int(told['pid'])})"
    return "another training"
