"""Compares the pictures on disk with the listing that was made of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srqueue.run.listing import Listing, Picture
from workers.data_tools.pair_outliers import flag_outliers
from workers.data_tools.pair_quality import PairQuality
from workers.data_tools.pairs import measure_pairs
from workers.data_tools.scan import Scan, scan_roots
from workers.duplicates import near_duplicates, near_duplicates_within


@dataclass(frozen=True)
class CheckRequest:
    """The listing to check, and that of the other data set it is validated on."""

    listing: str
    val_listing: str | None


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """`check` on a request out of JSON."""
    return check(CheckRequest(**request))


def check(request: CheckRequest) -> dict[str, Any]:
    """Reads every file again and returns what differs (see srqueue.datasets.checking). Raises DataError."""
    listing = Listing.read(Path(request.listing))
    hr = scan_roots(listing.hr_roots, "HR", thumbnails=True)
    lr = scan_roots(listing.lr_roots, "LR") if listing.lr_roots else None
    missing, changed, corrupt = _differences(listing, hr, lr)
    known = {p.path for p in listing.pictures} | listing.quarantined.keys()
    return {
        "pictures": len(listing.pictures),
        "missing": missing,
        "changed": changed,
        "corrupt": corrupt,
        "new": [path for path in hr.paths if path not in known],
        "quarantined": listing.quarantined,
        "pairs": [asdict(quality) for quality in _pairs(listing, hr, lr)],
        "duplicates": _duplicates(listing, hr, request.val_listing),
        "alike": _alike(listing, hr),
    }


def _differences(listing: Listing, hr: Scan, lr: Scan | None) -> tuple[list[str], list[str], dict[str, str]]:
    """Missing, changed and corrupt files; those of LR are named as such."""
    missing: list[str] = []
    changed: list[str] = []
    corrupt: dict[str, str] = {}
    files = [(p.path, p.path, p.sha256, hr) for p in listing.pictures]
    files += [(f"LR {p.lr_path}", p.lr_path, p.lr_sha256, lr) for p in listing.pictures if p.lr_path and lr]
    for name, path, sha256, found in files:
        if path in found.broken:
            corrupt[name] = found.broken[path]
        elif path not in found.whole:
            missing.append(name)
        elif found.whole[path].sha256 != sha256:
            changed.append(name)
    return missing, changed, corrupt


def _pairs(listing: Listing, hr: Scan, lr: Scan | None) -> list[PairQuality]:
    """Quality of every pair that is whole; one that no longer fits the scale says so."""
    if not (lr and listing.scale):
        return []
    whole = [p for p in listing.pictures if p.path in hr.whole and p.lr_path in lr.whole]
    return flag_outliers(measure_pairs(whole, listing.hr_roots, listing.lr_roots, listing.scale))


def _duplicates(listing: Listing, hr: Scan, val_listing: str | None) -> list[dict[str, Any]]:
    """Pictures that are both trained on and validated on."""
    if val_listing:
        val = Listing.read(Path(val_listing))
        found = scan_roots(val.hr_roots, f"{val.name} HR", thumbnails=True)
        validated = _thumbnails(val.pictures, found)
    else:
        validated = _thumbnails(listing.held_out(), hr)
    hits = near_duplicates(_thumbnails(listing.training(), hr), validated)
    return [{"train": train, "val": val, "correlation": round(value, 4)} for train, val, value in hits]


def _alike(listing: Listing, hr: Scan) -> list[dict[str, Any]]:
    """Pictures that are trained on twice or nearly so."""
    hits = near_duplicates_within(_thumbnails(listing.training(), hr))
    return [{"one": one, "other": other, "correlation": round(value, 4)} for one, other, value in hits]


def _thumbnails(pictures: tuple[Picture, ...], found: Scan) -> dict[str, NDArray[np.float32]]:
    thumbnails = {p.path: found.whole[p.path].thumbnail for p in pictures if p.path in found.whole}
    return {path: small for path, small in thumbnails.items() if small is not None}
