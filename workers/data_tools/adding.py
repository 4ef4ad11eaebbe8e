"""Makes the listing of a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from srqueue.datasets.names import first_five, shown
from srqueue.errors import DataError
from srqueue.run.listing import Listing, Picture, identity_of, thumbnails_file
from workers.data_tools import held_out
from workers.data_tools.copies import copies_of, first_of_each
from workers.data_tools.known import known_files, previous_listing
from workers.data_tools.notes import (
    note_kinds,
    note_others,
    warn_of_copies,
    warn_of_held_out,
    warn_of_near_duplicates,
    warn_of_small,
    warn_of_validated,
    warn_of_wrong_pairs,
)
from workers.data_tools.pair_outliers import flag_outliers
from workers.data_tools.pairing import fit_scale, pair
from workers.data_tools.pairs import compared, quality_of
from workers.data_tools.picture import Facts
from workers.data_tools.scan import Scan, say_broken, scan_roots
from workers.data_tools.statistics import statistics
from workers.data_tools.validated import validated_thumbnails
from workers.duplicates import Thumbnails, with_a_near_duplicate
from workers.thumbnails import read_thumbnails, write_thumbnails

SMALLEST_SIDE = 20
"""Pixels of HR. Below it a validation at scale 4 has no whole SSIM window (11 pixels) inside its border."""


@dataclass(frozen=True)
class AddRequest:
    """What to look at, and where to write the listing. `previous` is the listing whose figures may be kept.

    `lr` is empty where LR is made; else it has as many folders as `hr`. `val_listing`: of the data set
    that is validated on, where that is another one.
    """

    name: str
    hr: list[str]
    lr: list[str]
    scale: int | None
    hold_share: bool
    hold_out: list[str] | None
    previous: str | None
    out: str
    val_listing: str | None = None


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """`add` on a request out of JSON."""
    return add(AddRequest(**request))


def add(request: AddRequest) -> dict[str, Any]:
    """Scans, pairs, hashes, compares the pairs, writes the listing. Returns what the registry keeps of it.

    Raises DataError.
    """
    previous = previous_listing(request.previous, request.hr, request.lr)
    kept = read_thumbnails(thumbnails_file(Path(request.previous))) if request.previous else {}
    known_hr, known_lr = known_files(previous, kept)
    hr = scan_roots(request.hr, "HR", known_hr, thumbnails=True)
    lr = scan_roots(request.lr, "LR", known_lr) if request.lr else None
    partners = pair(hr.paths, lr.paths) if lr else {}
    broken = _broken(hr, lr, partners)
    usable = [path for path in sorted(hr.whole) if path not in broken]
    if not usable:
        raise DataError(
            f"none of the {len(broken)} pictures can be used: "
            + first_five([f"{path} ({reason})" for path, reason in sorted(broken.items())]),
            where=first_five(request.hr),
        )
    scale = request.scale
    if lr:
        scale = fit_scale({p: (_size(hr.whole[p]), _size(lr.whole[partners[p]])) for p in usable}, scale)
    pictures = [_picture(path, hr.whole[path], partners.get(path), lr) for path in usable]
    if lr and scale:
        pictures = compared(pictures, previous, request.hr, request.lr, scale)
    # Compared first: a wrong pair must not become what is validated on.
    pairs = flag_outliers([quality_of(p) for p in pictures if p.lr_path])
    suspect = {pair.path for pair in pairs if pair.remark}
    hashes = {p.path: p.sha256 for p in pictures}
    thumbnails = {p: small for p, f in hr.whole.items() if p in hashes and (small := f.thumbnail) is not None}
    held = _hold_out(request, hashes, broken, suspect, thumbnails)
    broken |= copies_of(held, hashes)
    say_broken(broken)
    listed = tuple(replace(p, held_out=p.path in held) for p in pictures if p.path not in broken)
    if held and len(held) == len(listed):
        raise DataError("all pictures are held out", hint="leave some to train on")
    listing = Listing(
        name=request.name,
        identity=identity_of(listed, request.lr[0] if request.lr else None),
        hr_root=request.hr[0],
        lr_root=request.lr[0] if request.lr else None,
        scale=scale,
        pictures=listed,
        quarantined=dict(sorted(broken.items())),
        further_hr=tuple(request.hr[1:]),
        further_lr=tuple(request.lr[1:]),
    )
    listing.write(Path(request.out))
    write_thumbnails(thumbnails_file(Path(request.out)), {hashes[p]: s for p, s in thumbnails.items()})
    kinds = {p.path: hr.whole[p.path].kind for p in listed}
    note_others("HR", hr.others)
    note_others("LR", lr.others if lr else {})
    note_kinds("HR", kinds)
    note_kinds("LR", {p.lr_path: lr.whole[p.lr_path].kind for p in listed if lr and p.lr_path})
    warn_of_small(listing, scale or 2)
    warn_of_copies(listing)
    warn_of_wrong_pairs(listing.name, [pair for pair in pairs if pair.path not in broken])
    warn_of_held_out(held, suspect, request.hold_share)
    warn_of_near_duplicates(listing, thumbnails)
    if request.val_listing:
        val = Listing.read(file := Path(request.val_listing))
        warn_of_validated(listing, thumbnails, val, validated_thumbnails(file, val))
    return {
        "identity": listing.identity,
        "scale": scale,
        "pictures": len(listed),
        "held_out": len(held),
        "quarantined": len(broken),
        **statistics(listing.training()),
        "kinds": dict(sorted(Counter(kinds.values()).items())),
    }


def _hold_out(
    request: AddRequest,
    hashes: dict[str, str],
    broken: dict[str, str],
    suspect: Collection[str],
    thumbnails: Thumbnails,
) -> frozenset[str]:
    if request.hold_out:
        return held_out.named(hashes, broken, request.hold_out)
    if not request.hold_share:
        return frozenset()
    distinct = first_of_each(hashes)
    against = {path: thumbnails[path] for path in sorted(distinct)}
    return held_out.share(distinct, suspect, lambda some: with_a_near_duplicate(some, against))


def _broken(hr: Scan, lr: Scan | None, partners: dict[str, str]) -> dict[str, str]:
    """What cannot be used, by HR path: a broken LR picture takes its pair along."""
    broken = dict(hr.broken)
    for path, facts in hr.whole.items():
        if facts.smaller_side < SMALLEST_SIDE:
            broken[path] = f"{facts.width}x{facts.height}: smaller than {SMALLEST_SIDE} pixels"
    if lr:
        for path, partner in partners.items():
            if partner in lr.broken and path not in broken:
                broken[path] = f"its LR picture {shown(partner)}: {lr.broken[partner]}"
    return broken


def _size(facts: Facts) -> tuple[int, int]:
    return facts.width, facts.height


def _picture(path: str, facts: Facts, partner: str | None, lr: Scan | None) -> Picture:
    small = lr.whole[partner] if lr and partner else None
    return Picture(
        path=path,
        width=facts.width,
        height=facts.height,
        size=facts.size,
        mtime_ns=facts.mtime_ns,
        sha256=facts.sha256,
        lr_path=partner,
        lr_size=small.size if small else 0,
        lr_mtime_ns=small.mtime_ns if small else 0,
        lr_sha256=small.sha256 if small else "",
        sharpness=facts.sharpness,
    )
