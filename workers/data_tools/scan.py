"""Walks a folder of pictures and inspects each one."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from srqueue.datasets.names import shown
from srqueue.errors import DataError
from workers.data_tools.picture import BrokenPicture, Facts, Known, inspect

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
_OTHER_PICTURES = (".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".jxl", ".jp2", ".ppm", ".exr")
_AT_ONCE = 512  # files handed to the threads together, so that a huge set does not queue up in memory


@dataclass(frozen=True)
class Scan:
    """The pictures of a folder by relative path: whole ones, and the others with the reason."""

    whole: dict[str, Facts]
    broken: dict[str, str]

    @property
    def paths(self) -> list[str]:
        """All picture files that were found, sorted; a refused folder (`name/`) is none."""
        return sorted(path for path in (*self.whole, *self.broken) if not path.endswith("/"))


def scan_roots(
    roots: Sequence[str], what: str, known: Mapping[str, Known] | None = None, thumbnails: bool = False
) -> Scan:
    """`scan` of one root, or of several together: then every path begins with the number of its root."""
    if len(roots) == 1:
        return scan(Path(roots[0]), what, known, thumbnails)
    whole: dict[str, Facts] = {}
    broken: dict[str, str] = {}
    for number, root in enumerate(roots, 1):
        mark = f"{number}/"
        own = {p.removeprefix(mark): k for p, k in (known or {}).items() if p.startswith(mark)}
        found = scan(Path(root), what, own, thumbnails)
        whole |= {mark + path: facts for path, facts in found.whole.items()}
        broken |= {mark + path: reason for path, reason in found.broken.items()}
    return Scan(whole, broken)


def scan(root: Path, what: str, known: Mapping[str, Known] | None = None, thumbnails: bool = False) -> Scan:
    """Inspects every PNG, JPEG and WebP under `root`; hidden files and folders are passed over.

    `what` names the folder in errors ("HR"). Raises DataError where the folder is missing, unreadable or
    holds no picture file at all.
    """
    _check_folder(root, what)
    paths, broken, others = find(root, what)
    if not paths and not broken:
        raise DataError(
            f"there is no PNG, JPEG or WebP picture in the {what} folder", where=shown(root), hint=others
        )
    whole: dict[str, Facts] = {}

    def look(path: str) -> Facts | str:
        try:
            return inspect(root / path, (known or {}).get(path), thumbnails)
        except BrokenPicture as error:
            return str(error)

    told = time.monotonic()
    # Decoding and hashing leave the interpreter lock, so threads are enough.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            for done, (path, result) in enumerate(zip(some, pool.map(look, some), strict=True), start + 1):
                if isinstance(result, str):
                    broken[path] = result
                else:
                    whole[path] = result
                if (now := time.monotonic()) - told >= 1:
                    told = now
                    print(f"scanned {done}/{len(paths)}", file=sys.stderr, flush=True)
    return Scan(whole, broken)


def find(root: Path, what: str) -> tuple[list[str], dict[str, str], str]:
    """Relative paths of the picture files, those refused with the reason, and a hint on what else is there.

    Links out of the folder are refused: what a data set is made of lies under its root.
    """

    def unreadable(error: OSError) -> NoReturn:
        raise DataError(
            f"cannot read a folder of the {what} pictures: {error.strerror}",
            where=shown(error.filename),
            hint="does this user have the right to read it?",
        ) from None

    found: list[str] = []
    refused: dict[str, str] = {}
    others: Counter[str] = Counter()
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
                others[ending if ending in _OTHER_PICTURES else "other"] += 1
                continue
            path = here / name
            relative = path.relative_to(root).as_posix()
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(real_root):
                refused[relative] = "a link that leaves the folder"
            else:
                found.append(relative)
    return sorted(found), refused, _hint(others)


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


def _hint(others: Counter[str]) -> str:
    convertible = {ending: n for ending, n in sorted(others.items()) if ending != "other"}
    if convertible:
        listed = ", ".join(f"{n} {ending}" for ending, n in convertible.items())
        return f"it holds {listed}: convert them to PNG first"
    return "it holds other files only" if others else "it is empty"


def say_broken(broken: Mapping[str, str], shown_at_most: int = 5) -> None:
    """Tells a person which pictures cannot be used, and why."""
    if not broken:
        return
    noun = "picture" if len(broken) == 1 else "pictures"
    print(f"warning: {len(broken)} {noun} cannot be used and will not be:", file=sys.stderr)
    for path in sorted(broken)[:shown_at_most]:
        print(f"  {shown(path)}: {broken[path]}", file=sys.stderr)
    if len(broken) > shown_at_most:
        print(f"  and {len(broken) - shown_at_most} more", file=sys.stderr)
