"""The newest validation pictures of a job, for whoever looks on from another machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from redis.client import NEVER_DECODE

from srqueue.run.pictures import Crop
from srqueue.store.connection import Connection, compact

JOBS_KEPT = 100
"""Jobs whose pictures are in Redis; the longest unchanged go."""
SECONDS_KEPT = 7 * 86400
MOST_BYTES = 2**20
"""Of one job's pictures; three crops of 128 x 128 pixels have 0.4 MB at most, uncompressed."""

_IMAGE = "png:"


@dataclass(frozen=True)
class StoredPictures:
    """`images`: PNG by `<crop>/<bicubic|original|model>`; those of the model are of `iteration`."""

    crops: tuple[Crop, ...]
    iteration: int
    images: dict[str, bytes]


def script_arguments(
    crops: Sequence[Crop], iteration: int, images: Mapping[str, bytes], whole: bool
) -> list[str | bytes | int]:
    """What pictures.lua takes behind id and token."""
    found: list[str | bytes | int] = [compact([asdict(crop) for crop in crops]), iteration, int(whole)]
    found += [SECONDS_KEPT, JOBS_KEPT]
    for name, image in images.items():
        found += [_IMAGE + name, image]
    return found


def stored_pictures(connection: Connection, job_id: str) -> StoredPictures | None:
    """What Redis has; None where there is nothing, or nothing that this version reads."""
    with connection.reach() as client:
        # PNGs are no text: this answer alone is not decoded.
        raw = client.execute_command("HGETALL", connection.keys.pictures(job_id), **{NEVER_DECODE: True})
    found: dict[bytes, bytes] = dict(raw)
    try:
        crops = tuple(Crop(**crop) for crop in json.loads(found[b"crops"]))
        iteration = int(found[b"iteration"])
    except (KeyError, TypeError, ValueError):
        return None
    named = {key.decode(): value for key, value in found.items()}
    images = {key.removeprefix(_IMAGE): value for key, value in named.items() if key.startswith(_IMAGE)}
    return StoredPictures(crops, iteration, images)
