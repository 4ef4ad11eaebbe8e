"""A data set in a remote folder: its pictures by their content, then the list that names them.

datasets/<name>/dataset.json           the newest of that name
datasets/<name>/<identity>.json        each, by its content identity
datasets/files/<ab>/<sha256>           pictures; what two data sets share is there once
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from srqueue.datasets.registry import Registry
from srqueue.errors import DataError
from srqueue.remote.folder import RemoteFolder, unlimited
from srqueue.run.folder import check_name
from srqueue.run.listing import Listing, Picture, file_of

LIST_VERSION = 1
Progress = Callable[[int, int], None]
"""Called with pictures done and pictures altogether."""


def newest_name(name: str) -> str:
    """The object that says what a data set holds now."""
    return f"datasets/{check_name(name, 'a data set')}/dataset.json"


def file_name(sha256: str) -> str:
    """The object of one picture."""
    return f"datasets/files/{sha256[:2]}/{sha256}"


def publish(
    registry: Registry, name: str, remote: RemoteFolder,
    took: Callable[[int], None] = unlimited, progress: Progress = lambda done, all: None,
) -> tuple[int, int]:  # fmt: skip
    """Uploads a registered data set; (files uploaded, bytes of them). What is there already is passed over.

    Raises DataError where a picture is not the one that was added; UsageError, RemoteUnreachable.
    """
    entry = registry.get(name)
    listing = Listing.read(registry.listing_file(name))
    there = remote.names("datasets/files")
    wanted = list(_files(listing))
    sent = size = 0
    for number, (path, sha256, expected) in enumerate(wanted, 1):
        if there.get(file_name(sha256)) != expected:
            _check(path, expected)
            remote.upload(path, file_name(sha256), took)
            there[file_name(sha256)] = expected
            sent, size = sent + 1, size + expected
        progress(number, len(wanted))
    value = _portable(asdict(listing), {**entry.as_mapping(), "val": entry.val})
    text = json.dumps(value, indent=1).encode()
    remote.create(f"datasets/{name}/{entry.identity}.json", text)
    remote.write(newest_name(name), text)
    return sent, size


def _files(listing: Listing) -> Iterator[tuple[Path, str, int]]:
    for picture in listing.pictures:
        yield file_of(listing.hr_roots, picture.path), picture.sha256, picture.size
        if picture.lr_path is not None:
            yield file_of(listing.lr_roots, picture.lr_path), picture.lr_sha256, picture.lr_size


def _check(path: Path, expected: int) -> None:
    """By its size; whoever brings it verifies the SHA-256."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"a picture cannot be read: {error.strerror}", where=str(path)) from None
    if size != expected:
        raise DataError(
            "a picture is not the one that was added",
            where=str(path),
            hint="add the data set again (--replace), then publish it",
        )


def _portable(listing: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """Both without what only means something on this machine."""
    roots = len((listing.pop("hr_root"), *listing.pop("further_hr")))
    lr_roots = (listing.pop("lr_root"), *listing.pop("further_lr"))
    listing.pop("quarantined")
    for key in ("hr", "lr"):
        entry.pop(key)
    return {
        "v": LIST_VERSION, "listing": listing, "entry": entry,
        "roots": roots, "pairs": lr_roots[0] is not None,
    }  # fmt: skip


def read_listing(value: dict[str, Any], folder: Path) -> Listing:
    """The listing with its pictures below `folder`: `hr` and `lr`, or `hr/1`, `hr/2`, ...

    Raises KeyError, TypeError or ValueError where it does not hold.
    """
    listing, roots = value["listing"], int(value["roots"])
    pictures = tuple(Picture(**picture) for picture in listing["pictures"])
    hr = _roots(folder / "hr", roots)
    lr = _roots(folder / "lr", roots) if value["pairs"] else ()
    made = Listing(
        str(listing["name"]), str(listing["identity"]), hr[0], lr[0] if lr else None, listing["scale"],
        pictures, {},
    )  # fmt: skip
    return replace(made, further_hr=hr[1:], further_lr=lr[1:])


def _roots(folder: Path, count: int) -> tuple[str, ...]:
    if not 1 <= count <= 100:
        raise ValueError(f"{count} folders")
    return (str(folder),) if count == 1 else tuple(str(folder / str(n)) for n in range(1, count + 1))
