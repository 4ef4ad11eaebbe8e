"""What the registry keeps of the sizes and the sharpness of a data set's pictures."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from srqueue.run.listing import Picture


def statistics(trained: Sequence[Picture]) -> dict[str, int | float]:
    """Figures over the pictures that are trained on, by their name in DatasetEntry; one at least.

    `p5_side` is the 5th percentile (nearest rank) of the shorter sides in pixels, `sharpness` the median
    (rounded to 4 places; 0 where it was not measured), `pair_psnr` likewise (2 places).
    """
    sides = sorted(min(p.width, p.height) for p in trained)
    sharp = [p.sharpness for p in trained if p.sharpness is not None]
    psnr = [p.lr_psnr for p in trained if p.lr_psnr is not None]
    return {
        "min_width": min(p.width for p in trained),
        "min_height": min(p.height for p in trained),
        "median_width": int(median(p.width for p in trained)),
        "median_height": int(median(p.height for p in trained)),
        "p5_side": sides[(len(sides) * 5 - 1) // 100],
        "sharpness": round(median(sharp), 4) if sharp else 0.0,
        "pair_psnr": round(median(psnr), 2) if psnr else 0.0,
    }
