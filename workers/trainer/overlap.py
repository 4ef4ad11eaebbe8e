"""Whether pictures are trained on that are nearly those validated on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from srqueue.run.listing import thumbnails_file
from workers.duplicates import Thumbnails, near_duplicates
from workers.thumbnails import read_thumbnails
from workers.trainer.data.pictures import Pictures
from workers.trainer.datasets import Datasets

_NAMED = 5


def overlap(datasets: Datasets, listings: Mapping[str, str | None]) -> str | None:
    """A sentence that names such pictures; None where there are none.

    A spec may name another validation set than its data set was added with, so it is looked at when a run
    begins: by the thumbnails kept beside the listings, without decoding. Where they are missing, nothing is
    compared: `dataset check` decodes.
    """
    if datasets.validation is None:
        return None
    validated = _thumbnails(listings.get("val") or listings.get("train"), datasets.validation)
    trained = _thumbnails(listings.get("train"), datasets.training) if validated else {}
    twin = {val: train for train, val, _ in reversed(near_duplicates(trained, validated))}
    if not twin:
        return None
    named = [f"{val} (trained on as {twin[val]})" for val in sorted(twin)]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return (
        f"{len(twin)} of {len(datasets.validation)} pictures validated on are nearly the same as one trained "
        f"on: {', '.join(named[:_NAMED])}{more}; validation partly measures memory: take them out of one of "
        "the two, or validate on another data set"
    )


def _thumbnails(listing: str | None, pictures: Pictures) -> Thumbnails:
    kept = read_thumbnails(thumbnails_file(Path(listing))) if listing else {}
    return {p.path: kept[p.sha256] for p in pictures.pictures if p.sha256 in kept}
