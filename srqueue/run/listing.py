"""The listing of a data set on this machine: which pictures, how large, which are held out.

Written by `workers.data_tools` when a data set is added, read by the trainer. It holds absolute roots and is
never sent anywhere; a spec names the data set and its identity only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from srqueue.errors import DataError
from srqueue.run.atomic import write_json
from srqueue.run.parsing import from_json

LISTING_VERSION = 3
"""Version 1 knew one root only and no sharpness, version 2 no `lr_fit`; both are still read."""
LR_CONVERSION = "torch-bicubic-antialias-uint8-1"
"""How LR is made from HR where there is no LR folder. A change of the pixels it makes changes this word."""


@dataclass(frozen=True)
class Picture:
    """One picture. `path` is its name in the data set, `lr_path` that of its LR picture (None: made from HR).

    With one root both are relative to it. With several they begin with the number of their root, from 1:
    `2/a.png` is `a.png` of the second. `sharpness`: see workers.data_tools.sharpness; None where unknown.
    `lr_psnr` and `lr_remark`: PSNR-Y in dB of the bicubically enlarged LR picture (None: equal), and what is
    probably wrong with the pair on its own ("": nothing; None: it was not compared). `lr_fit` and `lr_gain`:
    LR beside HR made small, see workers.data_tools.consistency; None where it was not compared.
    """

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
    sharpness: float | None = None
    lr_psnr: float | None = None
    lr_remark: str | None = None
    lr_fit: float | None = None
    lr_gain: float | None = None


@dataclass(frozen=True)
class Listing:
    """All pictures of a data set that can be used, sorted by path.

    `hr_root` and `lr_root` are the first roots; where there are more, they follow in `further_hr` and
    `further_lr`, as many of LR as of HR, or none where LR is made.
    """

    name: str
    identity: str
    hr_root: str
    lr_root: str | None
    scale: int | None
    pictures: tuple[Picture, ...]
    quarantined: dict[str, str]
    further_hr: tuple[str, ...] = ()
    further_lr: tuple[str, ...] = ()

    @property
    def hr_roots(self) -> tuple[str, ...]:
        """Absolute folders of the originals, one or more."""
        return (self.hr_root, *self.further_hr)

    @property
    def lr_roots(self) -> tuple[str, ...]:
        """Absolute folders of the small pictures; none where they are made from HR."""
        return () if self.lr_root is None else (self.lr_root, *self.further_lr)

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
    def read(cls, path: Path, most: int | None = None) -> Listing:
        """Reads a listing, or at `most` so many of its pictures, evenly spread over it.

        Raises DataError where it is missing or not whole.
        """
        try:
            raw: dict[str, Any] = from_json(path.read_text())
            if (version := raw.pop("v")) not in range(1, LISTING_VERSION + 1):
                raise ValueError(f"it is of version {version}, this srqueue reads up to {LISTING_VERSION}")
            listed = raw.pop("pictures")
            step = -(-len(listed) // most) if most else 1
            pictures = tuple(Picture(**p) for p in listed[:: max(step, 1)])
            raw |= {key: tuple(raw.get(key, ())) for key in ("further_hr", "further_lr")}
            return cls(pictures=pictures, **raw)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"cannot read the list of pictures: {error}", where=str(path), hint="add the data set again"
            ) from None


def thumbnails_file(listing: Path) -> Path:
    """Where the thumbnails of a listing's originals lie: beside it (see workers.thumbnails)."""
    return listing.with_suffix(".thumbnails")


def file_of(roots: Sequence[str | Path], path: str) -> Path:
    """Where the picture named `path` lies (see Picture)."""
    if len(roots) == 1:
        return Path(roots[0], path)
    number, _, inside = path.partition("/")
    return Path(roots[int(number) - 1], inside)


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
