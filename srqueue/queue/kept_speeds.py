"""Speeds that were measured on this machine, kept so that no work is measured twice.

They lie in `speeds.json` in the home folder, by work and by what else changes a speed: versions, device,
threads. A job that ran tells more, and is asked first.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from srqueue.datasets import Registry
from srqueue.errors import SrqueueError
from srqueue.forecast.kinds import validated_of, work_of, work_text
from srqueue.forecast.timing import Speed
from srqueue.run.atomic import write_json
from srqueue.run.listing import Listing
from srqueue.settings import Settings
from srqueue.spec.job import JobSpec

_MOST = 1000
SOURCE = "a short measurement"


class KeptSpeeds:
    """Those of one machine. Nothing that is wrong with the file is an error: then there are none."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._file = settings, settings.home / "speeds.json"
        self._megapixels: dict[str, float] = {}

    def speed(self, spec: JobSpec, cuda: bool | None = None) -> Speed | None:
        """Of the same work. `cuda`: on such a device only."""
        found = self._known.get(self._key(spec))
        if not isinstance(found, dict):
            return None
        try:
            it_s, validation = float(found["it_s"]), float(found["validation_s_per_megapixel"])
        except (KeyError, TypeError, ValueError):
            return None
        if it_s <= 0 or cuda not in (None, found.get("cuda")):
            return None
        return Speed(it_s, validation * self._validated(spec), SOURCE, measured=True)

    def peak(self, spec: JobSpec) -> int | None:
        """Bytes of a GPU that the same work took here; None where that was not measured."""
        found = self._known.get(self._key(spec))
        amount = found.get("peak_bytes") if isinstance(found, dict) and found.get("cuda") else None
        return int(amount) if isinstance(amount, int | float) and amount > 0 else None

    def of_device(self, device: str) -> dict[str, float]:
        """Iterations a second by work, of a device by its name, the newest first."""
        rows = [found for found in self._known.values() if isinstance(found, dict)]
        return {
            str(row["work"]): float(row["it_s"])
            for row in reversed(rows)
            if row.get("device") == device and row.get("work") and isinstance(row.get("it_s"), int | float)
        }

    def keep(self, spec: JobSpec, result: Mapping[str, Any]) -> None:
        """What `workers.speed` has measured of a spec's work."""
        names = ("it_s", "validation_s_per_megapixel", "device", "cuda", "peak_bytes")
        kept = {name: result[name] for name in names if name in result}
        known = {**self._known, self._key(spec): {**kept, "work": work_text(spec)}}
        self.__dict__["_known"] = dict(list(known.items())[-_MOST:])
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._file, self._known, durable=False)
        except OSError:  # it is measured again, that is all
            return

    @cached_property
    def _known(self) -> dict[str, Any]:
        try:
            found = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _key(self, spec: JobSpec) -> str:
        here = (self._settings.device, self._settings.threads, *self._versions)
        parts = (work_of(spec), spec.compute.model_dump(mode="json"), *here)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]

    @cached_property
    def _versions(self) -> tuple[str, ...]:
        return tuple(map(_version, ("srqueue", "torch")))

    def _validated(self, spec: JobSpec) -> float:
        key = validated_of(spec)
        if key not in self._megapixels:
            self._megapixels[key] = validated_megapixels(self._settings, spec)
        return self._megapixels[key]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def validated_megapixels(settings: Settings, spec: JobSpec) -> float:
    """Millions of HR pixels that one validation of a spec looks at, as far as this machine knows."""
    if spec.datasets.val is None or not spec.val.val_enabled:
        return 0.0
    registry, name = Registry(settings), spec.datasets.val.name
    try:
        listing = Listing.read(registry.listing_file(name))
    except SrqueueError:
        return 0.0
    own = name == spec.datasets.train.name
    return sum(p.width * p.height for p in (listing.held_out() if own else listing.pictures)) / 1e6
