"""A page of jobs out of several lists that are sorted by time, without reading what stands before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice

from srqueue.store.connection import Connection


@dataclass(frozen=True)
class Span:
    """From `since` to `until`, UTC s, both included; None is open."""

    since: float | None = None
    until: float | None = None

    @property
    def least(self) -> str:
        """As Redis writes it."""
        return "-inf" if self.since is None else f"{self.since:.3f}"

    @property
    def most(self) -> str:
        """As Redis writes it."""
        return "+inf" if self.until is None else f"{self.until:.3f}"


def size(connection: Connection, keys: Sequence[str], span: Span) -> int:
    """How many ids the lists hold in that time."""
    return sum(_counts(connection, keys, span.least, span.most))


def page(connection: Connection, keys: Sequence[str], limit: int, offset: int, span: Span) -> list[str]:
    """`limit` ids behind the newest `offset`, newest first; those of one moment are sorted by themselves.

    No list is read but for the page: out of several, what surely stands before it is found by bisection.
    """
    starts = [0] * len(keys) if span.until is None else _counts(connection, keys, f"({span.most}", "+inf")
    inside = _counts(connection, keys, span.least, span.most)
    ends = [start + number for start, number in zip(starts, inside, strict=True)]
    if offset >= sum(inside):
        return []
    if len(keys) == 1:
        starts, offset = [starts[0] + offset], 0
    elif offset:
        before = sum(starts)
        starts = _skipping(connection, keys, before + offset)
        offset -= sum(starts) - before
    with connection.reach() as client:
        pipeline = client.pipeline(transaction=False)
        for key, start, end in zip(keys, starts, ends, strict=True):
            if start < end:
                last = min(start + offset + limit, end) - 1
                pipeline.zrange(key, start, last, desc=True, withscores=True)
        parts = [[(score, i) for i, score in part] for part in pipeline.execute()]
    return [i for _, i in islice(merge(*parts, reverse=True), offset, offset + limit)]


def _skipping(connection: Connection, keys: Sequence[str], offset: int) -> list[int]:
    """How many of each list are newer than a moment, of which there are `offset` in all, or hardly fewer."""
    with connection.reach() as client:
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.zrange(key, 0, 0, withscores=True)
            pipeline.zrange(key, 0, 0, desc=True, withscores=True)
        times = [round(score * 1000) for found in pipeline.execute() for _, score in found]
    early, late = min(times, default=0), max(times, default=0)  # ms: finer times are not on record
    while early < late:
        middle = (early + late) // 2
        newer = _counts(connection, keys, f"({middle / 1000:.3f}", "+inf")
        if sum(newer) <= offset:
            late = middle
        else:
            early = middle + 1
    return _counts(connection, keys, f"({late / 1000:.3f}", "+inf")


def _counts(connection: Connection, keys: Sequence[str], least: str, most: str) -> list[int]:
    with connection.reach() as client:
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.zcount(key, least, most)
        return [int(number) for number in pipeline.execute()]
