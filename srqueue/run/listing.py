"""The listing of a data set on this machine: which pictures, how large, which are held out.

Written by `workers.data_tools` when a data set is added, read by the trainer. It holds absolute roots and is
never sent anywhere; a spec names the data set and its identity only.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from srqueue.errors import DataError
from srqueue.run.atomic import write_json

LISTING_VERSION = 1
LR_CONVERSION = "torch-bicubic-antialias-uint8-1"
"""How LR is made from HR where there is no LR folder. A change of the pixels it makes changes this word."""


@dataclass(frozen=True)
class Picture:
    """One picture. `path` is relative to the HR root, `lr_path` to the LR root (None: made from HR)."""

    path: str
    width: int
    height: int
    size: int
    mtime_ns: int
    sha256: str
    lr_path: str | None = None
    lr_size: int = 0
    lr_mtime_ns: int = 0
    lr_sha256: str = ""
    held_out: bool = False


@dataclass(frozen=True)
class Listing:
    """All pictures of a data set that can be used, sorted by path."""

    name: str
    identity: str
    hr_root: str
    lr_root: str | None
    scale: int | None
    pictures: tuple[Picture, ...]
    quarantined: dict[str, str]

    def training(self, smallest: int = 0) -> tuple[Picture, ...]:
        """Pictures that are trained on: not held out, both sides of `smallest` pixels or more."""
        return tuple(p for p in self.pictures if not p.held_out and min(p.width, p.height) >= smallest)

    def held_out(self) -> tuple[Picture, ...]:
        """Pictures kept for validation."""
        return tuple(p for p in self.pictures if p.held_out)

    def write(self, path: Path) -> None:
        """Writes the listing whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"v": LISTING_VERSION, **asdict(self)})

    @classmethod
    def read(cls, path: Path) -> Listing:
        """Reads a listing. Raises DataError where it is missing or not whole."""
        try:
            raw: dict[str, Any] = json.loads(path.read_text())
            pictures = tuple(Picture(**p) for p in raw.pop("pictures"))
            raw.pop("v")
            return cls(pictures=pictures, **raw)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"cannot read the list of pictures: {error}", where=str(path), hint="add the data set again"
            ) from None


def identity_of(pictures: tuple[Picture, ...], lr_root: str | None) -> str:
    """SHA-256 (hex) that names a data set's content.

    Over the sorted (path, size, SHA-256) of HR and LR, the version of the LR conversion where LR is made, and
    the held-out paths: the same pictures split otherwise train another net.
    """
    digest = hashlib.sha256()
    digest.update((b"" if lr_root else LR_CONVERSION.encode()) + b"\n")
    for p in sorted(pictures, key=lambda p: p.path):
        line = [p.path, p.size, p.sha256, p.lr_path, p.lr_size, p.lr_sha256, p.held_out]
        digest.update(json.dumps(line).encode() + b"\n")
    return digest.hexdigest()
