"""Walks a folder of pictures and inspects each one."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from srqueue.datasets.finding import find
from srqueue.datasets.names import shown
from srqueue.errors import DataError
from workers.data_tools.picture import BrokenPicture, Facts, Known, inspect

_AT_ONCE = 512  # files handed to the threads together, so that a huge set does not queue up in memory


@dataclass(frozen=True)
class Scan:
    """The pictures of a folder by relative path: whole ones, and the others with the reason.

    `others`: of pictures that are not read, how many by their ending.
    """

    whole: dict[str, Facts]
    broken: dict[str, str]
    others: Mapping[str, int] = field(default_factory=dict)

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
    others: Counter[str] = Counter()
    for number, root in enumerate(roots, 1):
        mark = f"{number}/"
        own = {p.removeprefix(mark): k for p, k in (known or {}).items() if p.startswith(mark)}
        found = scan(Path(root), what, own, thumbnails)
        whole |= {mark + path: facts for path, facts in found.whole.items()}
        broken |= {mark + path: reason for path, reason in found.broken.items()}
        others.update(found.others)
    return Scan(whole, broken, others)


def scan(root: Path, what: str, known: Mapping[str, Known] | None = None, thumbnails: bool = False) -> Scan:
    """Inspects every PNG, JPEG and WebP under `root`; hidden files and folders are passed over.

    `what` names the folder in errors ("HR"). Raises DataError where the folder is missing, unreadable or
    holds no picture file at all.
    """
    found = find(root, what)
    paths, broken = found.paths, dict(found.refused)
    if not paths and not broken:
        raise DataError(
            f"there is no PNG, JPEG or WebP picture in the {what} folder", where=shown(root), hint=found.hint
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
    return Scan(whole, broken, found.others)


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
