"""A glance at the files of a data set before a job is queued: whether they are still there, and the same."""

from __future__ import annotations

import os

from srqueue.counting import of_all
from srqueue.datasets.changes import Changes, add_again, differs
from srqueue.datasets.entry import DatasetEntry
from srqueue.datasets.names import first_five
from srqueue.datasets.registry import Registry
from srqueue.errors import DataError
from srqueue.run.listing import Listing, file_of

MOST = 10_000
"""Pictures that are looked at; of a larger data set these lie evenly spread over it. All of 147,000 take
1.5 s from a warm cache, far longer on a network's disk: too long for a notice. These take 0.1 s, beside
0.5 s for their list. The worker looks at every file."""

HASHED = 8
"""Files of another time but the same size that are read: to copy a data set anew changes nothing."""


def glance(registry: Registry, entry: DatasetEntry) -> list[str]:
    """Notices that name pictures which vanished or changed since the data set was added, and wrong pairs.

    No error: the machine that trains may hold them, and a pair may only look wrong. New pictures are no
    matter here, and neither is a machine without the listing.
    """
    for root in entry.folders:
        if not os.access(root, os.X_OK):  # or this user may not look into it
            return [
                f"{root}, a folder of the data set {entry.name!r}, is not there: it must be on the worker's"
            ]
    try:
        listing = Listing.read(registry.listing_file(entry.name), MOST)
    except DataError:
        return []
    told, see = [], f"to see all: srqueue dataset check {entry.name}"
    if found := _changes(listing):
        told.append(
            f"the pictures of the data set {entry.name!r} are not those it was added with: {found}; {see}; "
            f"to take them as they are now: {add_again(entry)}"
        )
    if wrong := [p.path for p in listing.pictures if p.lr_remark]:
        counted = of_all(len(wrong), len(listing.pictures), "pair")
        told.append(f"{counted} probably wrong in the data set {entry.name!r}: {first_five(wrong)}; {see}")
    return told


def _changes(listing: Listing) -> Changes:
    hr = [("", p.path, p.size, p.mtime_ns, p.sha256, listing.hr_roots) for p in listing.pictures]
    lr = [
        ("LR ", p.lr_path, p.lr_size, p.lr_mtime_ns, p.lr_sha256, listing.lr_roots)
        for p in listing.pictures
        if p.lr_path
    ]
    gone, changed, read = [], [], 0
    for kind, path, size, mtime_ns, sha256, roots in (*hr, *lr):
        file = file_of(roots, path)
        try:
            status = file.stat()
        except OSError:
            gone.append(kind + path)
            continue
        if status.st_size != size:
            changed.append(kind + path)
        elif status.st_mtime_ns != mtime_ns and read < HASHED:
            read += 1
            if differs(file, size, mtime_ns, sha256):
                changed.append(kind + path)
    return Changes(new=(), gone=tuple(gone), changed=tuple(changed))
