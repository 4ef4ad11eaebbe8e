"""Data sets that were brought here share a quota: the one that was used least recently gives way first."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from srqueue.datasets.registry import Registry
from srqueue.errors import DataError
from srqueue.run.banks import gigabytes, reserve
from srqueue.run.held import is_held
from srqueue.settings import Settings

_USE = ".use"


class InUse:
    """Holds a data set against removal while it is open: by a sync, or by a worker whose job trains on it."""

    def __init__(self, folder: Path) -> None:
        self._fd = os.open(folder / _USE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        fcntl.flock(self._fd, fcntl.LOCK_SH)
        os.utime(folder / _USE)

    def __enter__(self) -> InUse:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def hold(settings: Settings, roots: Iterable[str]) -> contextlib.ExitStack:
    """Holds those of `roots` (folders of pictures) that were brought here, until the stack is closed."""
    held = contextlib.ExitStack()
    for folder in {_folder_of(settings.data_root, Path(root)) for root in roots}:
        if folder is not None:
            with contextlib.suppress(OSError):  # read only, or just gone: its pictures will be missed
                held.enter_context(InUse(folder))
    return held


def make_room(settings: Settings, registry: Registry, needed: int, keep: Path) -> tuple[str, ...]:
    """Removes data sets until `needed` more bytes fit; their names. Never one in use, nor `keep`.

    They are taken off the registry, too. Raises DataError where it would not be enough; then none goes.
    """
    root, quota = settings.data_root, settings.data_quota
    sizes = {folder: _size(folder) for folder in _folders(root)}
    over_quota = sum(sizes.values()) + needed - quota if quota else 0
    over_disk = needed + reserve(root) - shutil.disk_usage(root).free
    free = sorted((f for f in sizes if f != keep and not is_held(f / _USE)), key=_used)
    if max(over_quota, over_disk) > sum(sizes[f] for f in free):
        limit = f"SRQUEUE_DATA_QUOTA is {gigabytes(quota)}" if over_quota > over_disk else "the disk is full"
        raise DataError(
            f"there is no room for {gigabytes(needed)} more: {limit}, and what is here is in use",
            where=str(root),
            hint="raise SRQUEUE_DATA_QUOTA, or let the jobs that train on it end",
        )
    gone = []
    for folder in free:
        if max(over_quota, over_disk) <= 0:
            break
        if _remove(folder):
            over_quota, over_disk = over_quota - sizes[folder], over_disk - sizes[folder]
            gone += _unregister(registry, folder) or [folder.name]
    return tuple(gone)


def _unregister(registry: Registry, folder: Path) -> list[str]:
    with registry.changing() as entries:
        names = [n for n, e in entries.items() if any(Path(r).is_relative_to(folder) for r in e.folders)]
        for name in names:
            del entries[name]
    return names


def _remove(folder: Path) -> bool:
    """False where somebody uses it by now."""
    fd = os.open(folder / _USE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        gone = folder.with_name(f".gone-{folder.name}")
        shutil.rmtree(gone, ignore_errors=True)
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def _folders(root: Path) -> list[Path]:
    return [p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")] if root.is_dir() else []


def _folder_of(root: Path, path: Path) -> Path | None:
    return root / path.relative_to(root).parts[0] if path != root and path.is_relative_to(root) else None


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _used(folder: Path) -> float:
    try:
        return (folder / _USE).stat().st_mtime
    except OSError:
        return 0.0
