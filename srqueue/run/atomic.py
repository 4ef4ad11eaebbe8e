"""Files that are whole or absent, also after a crash."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from srqueue.run.parsing import from_json


def fsync_dir(path: Path) -> None:
    """Makes renames inside `path` durable."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_file(path: Path, data: bytes, durable: bool = True, *, mode: int = 0o666) -> None:
    """Writes `data` under a temporary name, syncs it, and renames it to `path`.

    Without `durable` it is whole for readers, but a power failure may empty it: for what is only looked at.
    `mode`: who may read it, less what the umask takes away.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        fsync_dir(path.parent)


def write_json(path: Path, value: Any, durable: bool = True) -> None:
    """Writes `value` as indented JSON, whole or not at all. NaN and infinities are refused."""
    write_file(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode(), durable)


def read_object(file: Path) -> dict[str, Any]:
    """The mapping in a JSON file; empty where there is none that can be read."""
    try:
        value = from_json(file.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
