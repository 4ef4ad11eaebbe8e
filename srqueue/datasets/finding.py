"""Finds the picture files of a folder, by their names only."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from srqueue.datasets.names import shown
from srqueue.errors import DataError

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
_OTHER_PICTURES = (
    *(".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif", ".jxl", ".jp2", ".j2k", ".jpf", ".tga"),
    *(".jpe", ".jfif", ".ppm", ".pgm", ".pbm", ".pnm", ".exr", ".hdr", ".psd"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf"),
)


@dataclass(frozen=True)
class Found:
    """Relative paths of the picture files, sorted, and those refused with the reason.

    `others`: endings, in small letters, of pictures that are not read -> how many; `any_other`: whether there
    are files that are no pictures.
    """

    paths: list[str]
    refused: dict[str, str]
    others: dict[str, int]
    any_other: bool

    @property
    def hint(self) -> str:
        """What else is there."""
        if self.others:
            return f"it holds {counted(self.others)}: convert them to PNG first"
        return "it holds other files only" if self.any_other else "it is empty"


def counted(endings: Mapping[str, int]) -> str:
    """Numbers of files by ending, for a person."""
    return ", ".join(f"{n} {ending}" for ending, n in sorted(endings.items()))


def find(root: Path, what: str) -> Found:
    """The picture files of a folder and its subfolders.

    Links out of the folder are refused: what a data set is made of lies under its root. Hidden files and
    folders are passed over. `what` names the folder in errors ("HR"). Raises DataError where it is missing or
    unreadable.
    """
    _check_folder(root, what)

    def unreadable(error: OSError) -> NoReturn:
        raise DataError(
            f"cannot read a folder of the {what} pictures: {error.strerror}",
            where=shown(error.filename),
            hint="does this user have the right to read it?",
        ) from None

    found: list[str] = []
    refused: dict[str, str] = {}
    others: Counter[str] = Counter()
    any_other = False
    real_root = root.resolve()
    for folder, subfolders, files in os.walk(root, onerror=unreadable):
        here = Path(folder)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in subfolders:
            if (here / name).is_symlink():
                refused[(here / name).relative_to(root).as_posix() + "/"] = "linked folders are not followed"
        for name in files:
            ending = Path(name).suffix.lower()
            if name.startswith(".") or ending not in ENDINGS:
                any_other = True
                if ending in _OTHER_PICTURES and not name.startswith("."):
                    others[ending] += 1
                continue
            path = here / name
            relative = path.relative_to(root).as_posix()
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(real_root):
                refused[relative] = "a link that leaves the folder"
            else:
                found.append(relative)
    return Found(sorted(found), refused, dict(others), any_other)


def _check_folder(root: Path, what: str) -> None:
    if not root.exists():
        raise DataError(
            f"the {what} folder does not exist",
            where=shown(root),
            hint="is the path right, and its disk mounted?",
        )
    if not root.is_dir():
        raise DataError(
            f"the {what} folder is a file", where=shown(root), hint="give the folder that it lies in"
        )
    if not os.access(root, os.R_OK | os.X_OK):
        raise DataError(
            f"the {what} folder cannot be read",
            where=shown(root),
            hint="does this user have the right to read it?",
        )
