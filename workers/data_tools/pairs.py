"""Measures all pairs of a data set, for `add` and for `check`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from srqueue.datasets.names import first_five, shown
from srqueue.run.listing import Listing, Picture, file_of
from workers.data_tools.pair_quality import PairQuality, pair_quality
from workers.data_tools.picture import BrokenPicture

_AT_ONCE = 512  # pairs handed to the threads together


def measure_pairs(
    pictures: Sequence[Picture], hr_roots: Sequence[str], lr_roots: Sequence[str], scale: int
) -> list[PairQuality]:
    """The quality of every pair, in the same order, without a look at the others (see flag_outliers)."""

    def measure(picture: Picture) -> PairQuality:
        hr, lr = file_of(hr_roots, picture.path), file_of(lr_roots, picture.lr_path or "")
        try:
            return pair_quality(picture.path, hr, lr, scale)
        except BrokenPicture as error:
            return PairQuality(picture.path, None, f"was changed meanwhile: {shown(error)}")

    found: list[PairQuality] = []
    told = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(pictures), _AT_ONCE):
            for quality in pool.map(measure, pictures[start : start + _AT_ONCE]):
                found.append(quality)
                if (now := time.monotonic()) - told >= 1:
                    told = now
                    print(f"compared {len(found)}/{len(pictures)} pairs", file=sys.stderr, flush=True)
    return found


def compared(
    pictures: Sequence[Picture],
    previous: Listing | None,
    hr_roots: Sequence[str],
    lr_roots: Sequence[str],
    scale: int,
) -> list[Picture]:
    """`pictures` with the quality of each pair. What was measured on the same two files is not again."""

    def files(p: Picture) -> tuple[str, str]:
        return p.sha256, p.lr_sha256

    # Older versions did not measure `lr_fit`.
    old = {files(p): p for p in previous.pictures if p.lr_fit is not None} if previous else {}
    new = [p for p in pictures if files(p) not in old]
    found = {q.path: q for q in measure_pairs(new, hr_roots, lr_roots, scale)}
    return [_with_quality(p, found.get(p.path) or quality_of(old[files(p)])) for p in pictures]


def _with_quality(picture: Picture, found: PairQuality) -> Picture:
    return replace(
        picture, lr_psnr=found.psnr, lr_remark=found.remark or "", lr_fit=found.fit, lr_gain=found.gain
    )


def quality_of(picture: Picture) -> PairQuality:
    """What the listing knows of the pair, on its own."""
    return PairQuality(
        picture.path, picture.lr_psnr, picture.lr_remark or None, picture.lr_fit, picture.lr_gain
    )


def warning_of(name: str, pairs: Sequence[PairQuality]) -> str | None:
    """One line on the pairs of the data set `name` that have a remark; None where none has."""
    suspect = [pair for pair in pairs if pair.remark]
    if not suspect:
        return None
    most = 2 * len(suspect) > len(pairs)
    what = "do not look like pairs" if most else "may be wrong"
    named = first_five([_text(pair) for pair in suspect])
    hint = f"srqueue dataset check {name} shows all"
    return f"warning: {len(suspect)} of {len(pairs)} pairs {what}: {named}; {hint}"


def _text(pair: PairQuality) -> str:
    measured = f"{pair.psnr:.2f} dB, " if pair.psnr is not None else ""
    return f"{pair.path} ({measured}{pair.remark})"
