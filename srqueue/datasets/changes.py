"""What came to, went from or changed in the folders of a data set since it was added, without decoding."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from srqueue.datasets.entry import DatasetEntry
from srqueue.datasets.finding import find
from srqueue.datasets.names import first_five
from srqueue.datasets.registry import Registry
from srqueue.errors import DataError
from srqueue.run.listing import Listing, file_of


@dataclass(frozen=True)
class Changes:
    """Names of pictures as in the listing, those of LR with `LR ` before them. False where there are none."""

    new: tuple[str, ...]
    gone: tuple[str, ...]
    changed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.new or self.gone or self.changed)

    def __str__(self) -> str:
        kinds = (("new", self.new), ("gone", self.gone), ("changed", self.changed))
        return ", ".join(f"{len(names)} {kind} ({first_five(names)})" for kind, names in kinds if names)

    def refused(self, entry: DatasetEntry) -> DataError:
        """The error that says what differs, and how to take the pictures as they are now."""
        return DataError(
            f"the pictures of the data set {entry.name!r} are not those it was added with: {self}",
            where=first_five(entry.hr_roots),
            hint=f"take them as they are now: {add_again(entry)}",
        )


def add_again(entry: DatasetEntry) -> str:
    """The command that registers the pictures of a data set as they are now."""
    words = ["srqueue", "dataset", "add", entry.name]
    words += [word for root in entry.hr_roots for word in ("--hr", root)]
    words += [word for root in entry.lr_roots for word in ("--lr", root)]
    words += ["--val", entry.val] if entry.val else []
    words += ["--scale", str(entry.scale)] if entry.scale and not entry.lr_roots else []
    return shlex.join([*words, "--replace"])


def changes_of(registry: Registry, name: str) -> Changes:
    """Compares names, sizes and times with the listing of `name`.

    A file of another time but the same size is hashed: copying it anew changes nothing. What the listing does
    not know the size of (broken pictures, and the LR picture of a broken one) has changed where it was
    written after the listing. Raises DataError where the listing or a folder is missing.
    """
    file = registry.listing_file(name)
    listing = Listing.read(file)
    listed_ns = file.stat().st_mtime_ns
    hr_files = {p.path: (p.size, p.mtime_ns, p.sha256) for p in listing.pictures}
    lr_files = {p.lr_path: (p.lr_size, p.lr_mtime_ns, p.lr_sha256) for p in listing.pictures if p.lr_path}
    hr, hr_all = _found(listing.hr_roots, "HR")
    lr, lr_all = _found(listing.lr_roots, "LR")
    unknown_hr = hr - hr_files.keys()
    new = unknown_hr - listing.quarantined.keys()
    rewritten = {p for p in unknown_hr - new if _written_after(file_of(listing.hr_roots, p), listed_ns)}
    lr_rewritten = {
        p for p in lr - lr_files.keys() if _written_after(file_of(listing.lr_roots, p), listed_ns)
    }
    changed = {p for p in hr_files.keys() & hr if differs(file_of(listing.hr_roots, p), *hr_files[p])}
    lr_changed = {p for p in lr_files.keys() & lr if differs(file_of(listing.lr_roots, p), *lr_files[p])}
    return Changes(
        new=tuple(sorted(new)),
        gone=_named(hr_files.keys() - hr_all, lr_files.keys() - lr_all),
        changed=_named(changed | rewritten, lr_changed | (lr_rewritten if not new else set())),
    )


def _found(roots: Sequence[str], what: str) -> tuple[set[str], set[str]]:
    """Names of the pictures under `roots` as in a listing, and those with the refused ones."""
    usable: set[str] = set()
    every: set[str] = set()
    for number, root in enumerate(roots, 1):
        mark = f"{number}/" if len(roots) > 1 else ""
        found = find(Path(root), what)
        usable |= {mark + path for path in found.paths}
        every |= {mark + path for path in (*found.paths, *found.refused)}
    return usable, every


def _written_after(file: Path, time_ns: int) -> bool:
    try:
        return file.stat().st_mtime_ns > time_ns
    except OSError:
        return False  # a picture that cannot be read was and is none


def differs(file: Path, size: int, mtime_ns: int, sha256: str) -> bool:
    """Whether the content is another than was listed; it is read only where the time is another."""
    try:
        status = file.stat()
        if (status.st_size, status.st_mtime_ns) == (size, mtime_ns):
            return False
        if status.st_size != size:
            return True
        with file.open("rb") as data:
            return hashlib.file_digest(data, "sha256").hexdigest() != sha256
    except OSError:
        return True


def _named(hr: Iterable[str], lr: Iterable[str]) -> tuple[str, ...]:
    return (*sorted(hr), *(f"LR {path}" for path in sorted(lr)))
