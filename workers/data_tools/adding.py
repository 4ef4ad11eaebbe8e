"""Makes the listing of a data set."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from srqueue.datasets.names import first_five, shown
from srqueue.errors import DataError
from srqueue.run.listing import Listing, Picture, identity_of
from workers.data_tools import held_out
from workers.data_tools.copies import copies_of, first_of_each
from workers.data_tools.pair_outliers import degradation_of, flag_outliers
from workers.data_tools.pair_quality import PairQuality
from workers.data_tools.pairing import fit_scale, pair
from workers.data_tools.pairs import measure_pairs, quality_of, warning_of
from workers.data_tools.picture import Facts, Known
from workers.data_tools.scan import Scan, say_broken, scan_roots
from workers.data_tools.statistics import statistics

DEFAULT_LQ_SIZE = 64
"""Side of the low-resolution crops of the presets; smaller pictures get a warning."""

SMALLEST_SIDE = 20
"""Pixels of HR. Below it a validation at scale 4 has no whole SSIM window (11 pixels) inside its border."""


@dataclass(frozen=True)
class AddRequest:
    """What to look at, and where to write the listing. `previous` is the listing whose figures may be kept.

    `lr` is empty where LR is made; else it has as many folders as `hr`.
    """

    name: str
    hr: list[str]
    lr: list[str]
    scale: int | None
    hold_share: bool
    hold_out: list[str] | None
    previous: str | None
    out: str


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """`add` on a request out of JSON."""
    return add(AddRequest(**request))


def add(request: AddRequest) -> dict[str, Any]:
    """Scans, pairs, hashes, compares the pairs, writes the listing. Returns what the registry keeps of it.

    Raises DataError.
    """
    previous = _previous(request)
    known_hr, known_lr = _known(previous)
    hr = scan_roots(request.hr, "HR", known_hr)
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
    hashes = {path: hr.whole[path].sha256 for path in usable}
    held = _hold_out(request, hashes, broken)
    broken |= copies_of(held, hashes)
    usable = [path for path in usable if path not in broken]
    say_broken(broken)
    pictures = tuple(_picture(path, hr.whole[path], partners.get(path), lr, path in held) for path in usable)
    if held and len(held) == len(pictures):
        raise DataError("all pictures are held out", hint="leave some to train on")
    if lr and scale:
        pictures = _compared(pictures, previous, request, scale)
    listing = Listing(
        name=request.name,
        identity=identity_of(pictures, request.lr[0] if request.lr else None),
        hr_root=request.hr[0],
        lr_root=request.lr[0] if request.lr else None,
        scale=scale,
        pictures=pictures,
        quarantined=dict(sorted(broken.items())),
        further_hr=tuple(request.hr[1:]),
        further_lr=tuple(request.lr[1:]),
    )
    listing.write(Path(request.out))
    _warn_of_small(listing, scale or 2)
    _warn_of_copies(listing)
    _warn_of_wrong_pairs(listing)
    return {
        "identity": listing.identity,
        "scale": scale,
        "pictures": len(pictures),
        "held_out": len(held),
        "quarantined": len(broken),
        **statistics(listing.training()),
        "kinds": dict(sorted(Counter(hr.whole[p].kind for p in usable).items())),
    }


def _hold_out(request: AddRequest, hashes: dict[str, str], broken: dict[str, str]) -> frozenset[str]:
    if request.hold_out:
        return held_out.named(hashes, broken, request.hold_out)
    return held_out.share(first_of_each(hashes)) if request.hold_share else frozenset()


def _previous(request: AddRequest) -> Listing | None:
    """The listing that was made of these folders before; None where it is of others, or cannot be read."""
    try:
        listing = Listing.read(Path(request.previous)) if request.previous else None
    except DataError:
        return None
    same = listing and ([*listing.hr_roots], [*listing.lr_roots]) == (request.hr, request.lr)
    return listing if same else None


def _known(listing: Listing | None) -> tuple[dict[str, Known], dict[str, Known]]:
    """HR and LR files that the previous listing knows."""
    if listing is None:
        return {}, {}
    scale = listing.scale or 1
    hr = {
        p.path: Known(p.width, p.height, p.size, p.mtime_ns, p.sha256, p.sharpness) for p in listing.pictures
    }
    lr = {
        p.lr_path: Known(
            p.width // scale, p.height // scale, p.lr_size, p.lr_mtime_ns, p.lr_sha256, p.sharpness
        )
        for p in listing.pictures
        if p.lr_path
    }
    return hr, lr


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


def _picture(path: str, facts: Facts, partner: str | None, lr: Scan | None, held: bool) -> Picture:
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
        held_out=held,
        sharpness=facts.sharpness,
    )


def _compared(
    pictures: tuple[Picture, ...], previous: Listing | None, request: AddRequest, scale: int
) -> tuple[Picture, ...]:
    """`pictures` with the quality of each pair. What was measured on the same two files is not again."""

    def files(p: Picture) -> tuple[str, str]:
        return p.sha256, p.lr_sha256

    # Older versions did not measure `lr_fit`.
    old = {files(p): p for p in previous.pictures if p.lr_fit is not None} if previous else {}
    new = [p for p in pictures if files(p) not in old]
    found = {q.path: q for q in measure_pairs(new, request.hr, request.lr, scale)}
    return tuple(_with_quality(p, found.get(p.path) or quality_of(old[files(p)])) for p in pictures)


def _with_quality(picture: Picture, found: PairQuality) -> Picture:
    return replace(
        picture, lr_psnr=found.psnr, lr_remark=found.remark or "", lr_fit=found.fit, lr_gain=found.gain
    )


def _warn_of_small(listing: Listing, scale: int) -> None:
    side = DEFAULT_LQ_SIZE * scale
    small = [f"{p.path} ({p.width}x{p.height})" for p in listing.training() if min(p.width, p.height) < side]
    if small:
        print(
            f"warning: {len(small)} of {len(listing.training())} pictures are smaller than {side} pixels, "
            f"the usual crop at scale {scale}: {first_five(small)}",
            file=sys.stderr,
        )


def _warn_of_copies(listing: Listing) -> None:
    hashes = {p.path: p.sha256 for p in listing.pictures}
    twice = sorted(hashes.keys() - first_of_each(hashes))
    if twice:
        print(
            f"warning: {len(twice)} pictures are in the data set more than once, byte for byte, and are "
            f"trained on as often: {first_five(twice)}",
            file=sys.stderr,
        )


def _warn_of_wrong_pairs(listing: Listing) -> None:
    pairs = flag_outliers([quality_of(p) for p in listing.pictures if p.lr_path])
    if warning := warning_of(listing.name, pairs):
        print(warning, file=sys.stderr)
    if sentence := degradation_of(pairs):
        print(f"note: {listing.name!r}: {sentence}", file=sys.stderr)
