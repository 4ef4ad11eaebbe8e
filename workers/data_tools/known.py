"""What an earlier listing of the same folders knows of their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from srqueue.errors import DataError
from srqueue.run.listing import Listing
from workers.data_tools.picture import Known
from workers.thumbnails import Thumbnail


def previous_listing(file: str | None, hr: Sequence[str], lr: Sequence[str]) -> Listing | None:
    """The listing that was made of these folders before; None where it is of others, or cannot be read."""
    try:
        listing = Listing.read(Path(file)) if file else None
    except DataError:
        return None
    same = listing and ([*listing.hr_roots], [*listing.lr_roots]) == ([*hr], [*lr])
    return listing if same else None


def known_files(
    listing: Listing | None, thumbnails: Mapping[str, Thumbnail]
) -> tuple[dict[str, Known], dict[str, Known]]:
    """HR and LR files that the previous listing knows."""
    if listing is None:
        return {}, {}
    scale = listing.scale or 1
    hr = {
        p.path: Known(p.width, p.height, p.size, p.mtime_ns, p.sha256, p.sharpness, thumbnails.get(p.sha256))
        for p in listing.pictures
    }
    lr = {
        p.lr_path: Known(
            p.width // scale, p.height // scale, p.lr_size, p.lr_mtime_ns, p.lr_sha256, p.sharpness
        )
        for p in listing.pictures
        if p.lr_path
    }
    return hr, lr
