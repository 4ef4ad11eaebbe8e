"""The thumbnails of another data set, that is validated on."""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from srqueue.run.listing import Listing, Picture, file_of, thumbnails_file
from workers.data_tools.picture import BrokenPicture, inspect
from workers.duplicates import Thumbnails
from workers.thumbnails import Thumbnail, read_thumbnails, write_thumbnails


def validated_thumbnails(listing_file: Path, listing: Listing) -> Thumbnails:
    """Those kept beside the listing; a set that an older version added is decoded once, and they are kept.

    Pictures that are not what they were have none.
    """
    file = thumbnails_file(listing_file)
    kept = read_thumbnails(file)
    missing = [p for p in listing.pictures if p.sha256 not in kept]
    if missing:

        def made(picture: Picture) -> Thumbnail | None:
            try:
                facts = inspect(file_of(listing.hr_roots, picture.path), thumbnail=True)
            except BrokenPicture:
                return None
            return facts.thumbnail if facts.sha256 == picture.sha256 else None

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for picture, thumbnail in zip(missing, pool.map(made, missing), strict=True):
                if thumbnail is not None:
                    kept[picture.sha256] = thumbnail
        with contextlib.suppress(OSError):  # only made again the next time
            write_thumbnails(file, kept)
    return {p.path: kept[p.sha256] for p in listing.pictures if p.sha256 in kept}
