"""The registry of this machine's data sets: one YAML file that the user owns."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from srqueue.datasets.entry import DatasetEntry, read_entry
from srqueue.errors import DataError, UsageError, did_you_mean
from srqueue.run.atomic import write_file
from srqueue.run.folder import check_name
from srqueue.run.listing import Listing
from srqueue.settings import Settings
from srqueue.spec.derive import PictureStats
from srqueue.spec.expand import DatasetRef
from srqueue.spec.job import JobSpec
from srqueue.spec.reading import read_mapping

_HEAD = "# The data sets of this machine. Written by `srqueue dataset`, which does not keep comments.\n"


class Registry:
    """Names of data sets and where they lie. Reads need no lock: the file is only ever replaced whole."""

    def __init__(self, settings: Settings) -> None:
        self.file = settings.datasets.expanduser().absolute()

    def as_it_is(self) -> Registry:
        """This registry, read once: for many look-ups at one time."""
        return _Read(self)

    def listing_file(self, name: str) -> Path:
        """Where the listing of a data set lies, beside the registry."""
        return self.file.parent / "listings" / f"{check_name(name, 'a data set')}.json"

    def entries(self) -> tuple[DatasetEntry, ...]:
        """All data sets, by name. Raises SpecError where the file does not hold."""
        return tuple(entry for _, entry in sorted(self._read().items()))

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._read()))

    def find(self, name: str) -> DatasetEntry | None:
        """The data set of that name, or None."""
        return self._read().get(name)

    def get(self, name: str) -> DatasetEntry:
        """The data set of that name. Raises UsageError that names the nearest ones."""
        known = self._read()
        if name not in known:
            raise UsageError(
                f"there is no data set {name!r} on this machine",
                where=str(self.file),
                hint=f"{did_you_mean(name, known)}; add one: srqueue dataset add NAME --hr FOLDER",
            )
        return known[name]

    def put(self, entry: DatasetEntry) -> None:
        """Adds or replaces one data set."""
        with self.changing() as entries:
            entries[entry.name] = entry

    def remove(self, name: str) -> DatasetEntry:
        """Takes one data set off the registry; pictures and listing stay where they are.

        Raises UsageError where it is unknown or another data set validates on it.
        """
        entry = self.get(name)
        with self.changing() as entries:
            users = sorted(e.name for e in entries.values() if e.val == name and e.name != name)
            if users:
                raise UsageError(
                    f"{', '.join(users)} validates on {name!r}",
                    hint=f"remove or replace first: {', '.join(users)}",
                )
            entries.pop(name, None)
        return entry

    @contextmanager
    def changing(self) -> Iterator[dict[str, DatasetEntry]]:
        """The entries to change in place, under a lock; written when the block ends without an error.

        The lock lies on a side file, because the registry itself is replaced by renaming.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.with_name(f"{self.file.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self._read()
            entries = dict(before)
            yield entries
            if entries != before:
                raw = {name: entry.as_mapping() for name, entry in sorted(entries.items())}
                write_file(self.file, (_HEAD + yaml.safe_dump(raw, sort_keys=False)).encode())

    def _read(self) -> dict[str, DatasetEntry]:
        if not self.file.exists():
            return {}
        raw = read_mapping(self.file)
        return {
            name: read_entry(name, value, str(self.file))
            for name, value in ((check_name(str(key), "a data set"), value) for key, value in raw.items())
        }


class _Read(Registry):
    """A registry as it was when it was read."""

    def __init__(self, registry: Registry) -> None:
        self.file = registry.file
        self._known: dict[str, DatasetEntry] | None = None

    def _read(self) -> dict[str, DatasetEntry]:
        if self._known is None:
            self._known = super()._read()
        return self._known


def dataset_ref(registry: Registry, name: str) -> DatasetRef:
    """What a spec says about a data set. Its own name as `val_name` means the share held out of it.

    Raises UsageError where it, or what it validates on, is unknown here.
    """
    entry = registry.get(name)
    if entry.val is not None:
        val = registry.get(entry.val)
        scale, own_scale = entry.scale or val.scale, entry.scale is not None
        return DatasetRef(name, entry.identity, scale, val.name, val.identity, stats_of(entry), own_scale)
    own = name if entry.held_out else None
    own_identity = entry.identity if own else None
    return DatasetRef(name, entry.identity, entry.scale, own, own_identity, stats_of(entry))


def stats_of(entry: DatasetEntry) -> PictureStats:
    """What is known of the pictures that are trained on."""
    return PictureStats(
        pictures=max(entry.pictures - entry.held_out, 0),
        p5_side=entry.p5_side,
        median_width=entry.median_width,
        median_height=entry.median_height,
        sharpness=entry.sharpness,
    )


def locate(registry: Registry, spec: JobSpec) -> dict[str, str | None]:
    """The listings of a spec's data sets on this machine: `{"train": path, "val": path or None}`.

    The same path twice means: validate on the held-out share; another path: on all pictures of that set.
    Raises UsageError where no data set of that name is registered here, DataError where it is not the one
    that the spec names, or its folders are not there.
    """
    train, val = spec.datasets.train, spec.datasets.val
    return {
        "train": _listing_of(registry, train.name, train.identity),
        "val": _listing_of(registry, val.name, val.identity) if val else None,
    }


def _listing_of(registry: Registry, name: str, identity: str | None) -> str:
    entry, file = registry.find(name), registry.listing_file(name)
    again = f"srqueue dataset add {name} --hr FOLDER --replace"
    if entry is None:
        raise UsageError(
            f"the data set {name!r} is not registered on this machine",
            where=str(registry.file),
            hint=f"{did_you_mean(name, registry.names())}; srqueue dataset add {name} --hr FOLDER",
        )
    if identity is not None and identity != entry.identity:
        raise DataError(
            f"the data set {name!r} on this machine holds other pictures than the job was submitted with "
            f"({entry.identity[:12]} instead of {identity[:12]})",
            where=str(registry.file),
            hint="bring the same pictures here and add them again, or submit the job again",
        )
    for folder in entry.folders:
        if not Path(folder).is_dir():
            raise DataError(
                f"a folder of the data set {name!r} is not there", where=folder, hint="is its disk mounted?"
            )
    listing = Listing.read(file)
    if (listing.identity, listing.hr_roots, listing.lr_roots) != (
        entry.identity,
        entry.hr_roots,
        entry.lr_roots,
    ):
        raise DataError(
            f"registry and listing of the data set {name!r} do not agree", where=str(file), hint=again
        )
    return str(file)
