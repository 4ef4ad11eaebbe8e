"""A small disk below the runs root, that can be filled for a while."""

import os
import subprocess
from pathlib import Path

from benchmarks.faults.place import say

_ROOM = 1 << 16
"""Bytes left free: too few for a checkpoint."""


class SmallDisk:
    """A tmpfs mounted on `path` where this process may do that; else `mounted` is False and nothing fills."""

    def __init__(self, path: Path, mebibytes: int) -> None:
        self.path, self._ballast = path, path / "ballast"
        path.mkdir(parents=True, exist_ok=True)
        if not path.is_mount():
            mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(path)]
            try:
                subprocess.run(mount, check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError):
                say("no small disk: mounting is not permitted here, so no disk is filled")
        self.mounted = path.is_mount()

    def fill(self) -> None:
        """Leaves almost nothing free."""
        free = os.statvfs(self.path)
        size = max(free.f_bavail * free.f_frsize - _ROOM, 0)
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(size, 1))

    def empty(self) -> None:
        """Gives the room back."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmounts it."""
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.path)], capture_output=True)
