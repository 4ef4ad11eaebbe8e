"""Whether the pictures of a data set are large enough for a job's crops."""

from __future__ import annotations

from srqueue.counting import of_all
from srqueue.datasets.entry import DatasetEntry
from srqueue.datasets.names import first_five
from srqueue.datasets.registry import Registry
from srqueue.errors import DataError, SpecError
from srqueue.run.listing import Listing
from srqueue.spec.derive import CROP_STEP


def check_crop(registry: Registry, entry: DatasetEntry, lq_size: int, scale: int) -> str | None:
    """A notice that names the pictures smaller than `lq_size * scale` pixels, which a training leaves out.

    None where there are none. Where no picture is large enough: SpecError, or DataError where none is large
    enough for the smallest crop either.
    """
    side = lq_size * scale
    if min(entry.min_width, entry.min_height) >= side:
        return None
    file = registry.listing_file(entry.name)
    if not file.exists():  # a machine that only submits
        return f"pictures of {entry.name!r} smaller than the crop of {side} pixels are left out"
    listing = Listing.read(file)
    usable = listing.training(side)
    small = sorted(set(listing.training()) - set(usable), key=lambda p: p.path)
    if not usable:
        largest = max((min(p.width, p.height) for p in small), default=0)
        if largest // scale < CROP_STEP:
            raise DataError(
                f"no picture of {entry.name!r} is as large as the smallest crop, {CROP_STEP * scale} pixels",
                where=first_five(listing.hr_roots),
                hint="add larger pictures",
            )
        raise SpecError(
            f"no picture of {entry.name!r} is as large as the crop of {side} pixels ({lq_size} x {scale})",
            where=f"datasets.train.lq_size; {first_five(listing.hr_roots)}",
            hint=f"train on smaller crops: --set datasets.train.lq_size={largest // scale}",
        )
    named = first_five([f"{p.path} ({p.width}x{p.height})" for p in small])
    told = of_all(len(small), len(small) + len(usable), "picture")
    return f"{told} smaller than the crop and left out: {named}"
