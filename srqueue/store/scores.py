"""Scores of jobs in Redis: so that a campaign over several machines can be compared picture by picture."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import islice

from redis.client import NEVER_DECODE

from srqueue.run.parsing import from_json
from srqueue.run.scores import Scores
from srqueue.store.connection import Connection, compact

PICTURES_KEPT = 200
"""Pictures of a job in Redis; its run folder has all of them. Some 40 bytes each."""
_A_CALL = 200
_LARGEST = 1 << 20


def packed(scores: Scores) -> bytes:
    """What scores.lua takes behind id and token."""
    return zlib.compress(compact(scores.thinned(PICTURES_KEPT).to_json()).encode(), 9)


def unpacked(data: bytes) -> Scores | None:
    """The inverse; None for what this version does not read."""
    try:
        reader = zlib.decompressobj()
        raw = from_json(reader.decompress(data, _LARGEST))
    except (zlib.error, ValueError):
        return None
    return Scores.from_json(raw) if isinstance(raw, dict) else None


def stored_scores(connection: Connection, ids: Sequence[str]) -> dict[str, Scores]:
    """Of the jobs that have some, by id. Raises ServiceUnreachable."""
    found: dict[str, Scores] = {}
    left = iter(ids)
    while some := list(islice(left, _A_CALL)):
        with connection.reach() as client:
            keys = [connection.keys.scores(i) for i in some]
            answers = client.execute_command("MGET", *keys, **{NEVER_DECODE: True})
        for job_id, data in zip(some, answers, strict=True):
            if data and (scores := unpacked(data)) is not None:
                found[job_id] = scores
    return found
