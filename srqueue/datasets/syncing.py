"""A data set from a remote folder onto this machine: resumed, verified, registered under its name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srqueue.datasets.cache import InUse, make_room
from srqueue.datasets.entry import DatasetEntry, read_entry
from srqueue.datasets.publishing import Progress, file_name, newest_name, read_listing
from srqueue.datasets.registry import Registry
from srqueue.errors import DataError, UsageError
from srqueue.remote.folder import RemoteFolder, RemoteUnreachable, unlimited
from srqueue.remote.pulling import Listed, bring, safe_path
from srqueue.run.listing import Listing, Picture, file_of, identity_of
from srqueue.run.parsing import from_json
from srqueue.settings import Settings


@dataclass(frozen=True)
class Synced:
    """`bytes`: that came over the wire; `gave_way`: data sets that made room."""

    entry: DatasetEntry
    folder: Path
    bytes: int
    gave_way: tuple[str, ...]


def sync(
    settings: Settings, name: str, remote: RemoteFolder, *, replace: bool = False,
    took: Callable[[int], None] = unlimited, progress: Progress = lambda done, all: None,
) -> Synced:  # fmt: skip
    """Brings the data set of that name, as its folder lists it now.

    Each picture is verified before it has its name, and the whole by the content identity that jobs name. A
    call that was broken off goes on where it was. Raises DataError, UsageError, RemoteUnreachable; OSError.
    """
    registry = Registry(settings)
    value = _read(remote, name)
    identity = str(value["listing"].get("identity"))
    folder = settings.data_root / f"{name}-{identity[:16]}"
    listing, entry = _checked(value, name, identity, folder, remote.url)
    known = registry.find(name)
    if known is not None and not replace and known.identity != identity:
        raise UsageError(
            f"there is another data set {name!r} on this machine",
            where=str(registry.file),
            hint="--replace takes the one from the remote folder",
        )
    wanted = sum(p.size + p.lr_size for p in listing.pictures)
    folder.mkdir(parents=True, exist_ok=True)
    with InUse(folder):  # nor may it make room for another meanwhile
        missing = wanted - sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        gave_way = make_room(settings, registry, max(missing, 0), keep=folder)
        before = _Count(took)
        for number, picture in enumerate(listing.pictures, 1):
            _bring(remote, listing, picture, before)
            progress(number, len(listing.pictures))
        listing.write(registry.listing_file(name))
        registry.put(entry)
    return Synced(entry, folder, before.bytes, gave_way)


class _Count:
    def __init__(self, took: Callable[[int], None]) -> None:
        self.bytes, self._took = 0, took

    def __call__(self, count: int) -> None:
        self.bytes += count
        self._took(count)


def _bring(remote: RemoteFolder, listing: Listing, picture: Picture, took: Callable[[int], None]) -> None:
    for roots, path, size, sha256, changed in (
        (listing.hr_roots, picture.path, picture.size, picture.sha256, picture.mtime_ns),
        (listing.lr_roots, picture.lr_path, picture.lr_size, picture.lr_sha256, picture.lr_mtime_ns),
    ):
        if path is None:
            continue
        file = file_of(roots, path)
        if file.is_file() and (file.stat().st_size, file.stat().st_mtime_ns) == (size, changed):
            continue  # verified when it came
        bring(remote, file_name(sha256), Listed(file.name, size, sha256), file.parent, took)
        os.utime(file, ns=(changed, changed))  # the listing goes by it


def _read(remote: RemoteFolder, name: str) -> dict[str, Any]:
    try:
        value = from_json(remote.read(newest_name(name)))
        if value["v"] != 1 or not isinstance(value["listing"], dict):
            raise ValueError(f"version {value['v']}")
    except FileNotFoundError:
        raise UsageError(
            f"there is no data set {name!r} in that folder",
            where=remote.url,
            hint=f"known there: {_known(remote)}",
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"the list of the data set does not hold: {error}", where=remote.url) from None
    return dict(value)


def _known(remote: RemoteFolder) -> str:
    try:
        found = remote.folders("datasets")
    except RemoteUnreachable:  # a web server need not say what it has
        return "it does not say"
    return ", ".join(name for name in found if name not in ("files", "..")) or "none"


def _checked(
    value: dict[str, Any], name: str, identity: str, folder: Path, where: str
) -> tuple[Listing, DatasetEntry]:
    """Nothing that the list says is believed: names stay below the folder, hashes are hashes."""
    try:
        listing = read_listing(value, folder)
        for picture in listing.pictures:
            numbers = picture.size, picture.mtime_ns, picture.lr_size, picture.lr_mtime_ns
            if not all(type(number) is int and abs(number) < 1 << 63 for number in numbers):
                raise ValueError("a size or a time that is no whole number")
            for path in filter(None, (picture.path, picture.lr_path)):
                safe_path(path)
                for roots in filter(None, (listing.hr_roots, listing.lr_roots)):
                    file_of(roots, path)
            for sha256 in filter(None, (picture.sha256, picture.lr_sha256)):
                if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
                    raise ValueError("no SHA-256")
        found = identity_of(listing.pictures, listing.lr_root)
        folders = _single({"hr": listing.hr_roots, "lr": listing.lr_roots or None})
        entry = read_entry(name, {**dict(value["entry"]), **folders}, where)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise DataError(f"the list of the data set does not hold: {error}", where=where) from None
    if not found == identity == entry.identity or listing.name != name:
        raise DataError(
            "the list of the data set is not what its identity says",
            where=where,
            hint="publish the data set anew",
        )
    return listing, entry


def _single(roots: dict[str, tuple[str, ...] | None]) -> dict[str, object]:
    return {key: value[0] if value and len(value) == 1 else value for key, value in roots.items()}
