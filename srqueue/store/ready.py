"""Who stands before a ready job: counted by the ready sets, no record is read.

Of one user's jobs the order is exact. Users take turns (see claim.lua): of another's jobs of the same rank
(priority, and handed back or not) as many count as stand before the job in its own user's line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from srqueue.store.connection import Connection
from srqueue.store.keys import Keys
from srqueue.store.offers import fits, parts_of
from srqueue.store.record import JobRecord, WorkerRecord

_RANK = 2**42
"""A score is rank * 2^42 + milliseconds; see `ready_score` in prelude.lua."""

Place = tuple[str, str | None]


@dataclass(frozen=True)
class Shelf:
    """A ready set: its key, and with whom its jobs share."""

    key: str
    share: str


def shelf_of(keys: Keys, record: JobRecord) -> Shelf:
    """Where a ready job lies."""
    return Shelf(keys.ready(record.device_class, record.root_id, record.lot), share_of(record.lot))


def share_of(lot: str) -> str:
    """User and campaign of a lot."""
    return ";".join(f"{k}={v}" for k, v in parts_of(lot) if k in ("u", "k"))


def live_lots(client: Any, keys: Keys, workers: Iterable[WorkerRecord]) -> dict[Place, list[str]]:
    """Lots of which there are ready jobs, by device class and root, where these workers look."""
    places = sorted({p for w in workers for p in _places(w)}, key=str)
    pipeline = client.pipeline(transaction=False)
    for place in places:
        pipeline.smembers(keys.lots(*place))
    return {place: ["", *sorted(found)] for place, found in zip(places, pipeline.execute(), strict=True)}


def shelves(keys: Keys, workers: Iterable[WorkerRecord], lots: dict[Place, list[str]]) -> set[Shelf]:
    """Where those workers find jobs that they can take."""
    kinds = {(w.classes, w.roots, w.offer): w for w in workers}
    return {
        Shelf(keys.ready(*place, lot), share_of(lot))
        for worker in kinds.values()
        for place in _places(worker)
        for lot in lots[place]
        if fits(worker.offer, lot)
    }


def count_ahead(
    connection: Connection, pairs: Sequence[tuple[JobRecord, Sequence[WorkerRecord]]]
) -> dict[str, int]:
    """How many would be claimed before each record by its workers, in a few round trips."""
    keys = connection.keys
    known: dict[tuple[Shelf, int], set[Shelf]] = {}  # of one list of workers that many share
    with connection.reach() as client:
        lots = live_lots(client, keys, {w.name: w for _, workers in pairs for w in workers}.values())
        pipeline = client.pipeline(transaction=False)
        for record, _ in pairs:
            own = shelf_of(keys, record).key
            pipeline.zrank(own, record.id)
            pipeline.zscore(own, record.id)
        places, looked_at = pipeline.execute(), list[tuple[str, Shelf, bool | None]]()
        found: dict[str, int] = {}
        for (record, workers), rank, score in zip(pairs, places[::2], places[1::2], strict=True):
            own_shelf = shelf_of(keys, record)
            kind = (own_shelf, id(workers))
            if kind not in known:
                known[kind] = shelves(keys, workers, lots) - {own_shelf}
            found[record.id] = 0 if rank is None else int(rank)
            if rank is None:
                continue
            floor = score // _RANK * _RANK
            pipeline.zcount(own_shelf.key, "-inf", f"({floor:.0f}")
            looked_at.append((record.id, own_shelf, None))
            for shelf in known[kind]:
                mine = shelf.share == own_shelf.share
                pipeline.zcount(shelf.key, "-inf", f"({score if mine else floor:.0f}")
                pipeline.zcount(shelf.key, f"{floor:.0f}", f"({score if mine else floor + _RANK:.0f}")
                looked_at += [(record.id, shelf, True), (record.id, shelf, False)]
        own_of = {record.id: shelf_of(keys, record).share for record, _ in pairs}
        # By share: how many of the same rank stand before it, or, of others, wait.
        beside: dict[str, dict[str, int]] = {}
        for (job_id, shelf, counts), number in zip(looked_at, pipeline.execute(), strict=True):
            of_share = beside.setdefault(job_id, {})
            if counts is None:  # those of a better rank in its own set; the first that is looked at
                of_share[shelf.share] = found[job_id] - int(number)
            elif counts:
                found[job_id] += int(number)
            else:
                of_share[shelf.share] = of_share.get(shelf.share, 0) + int(number)
    for job_id, by_share in beside.items():
        own_ones = by_share.pop(own_of[job_id], 0)
        found[job_id] += sum(min(number, own_ones) for number in by_share.values())
    return found


def first_ids(
    connection: Connection, record: JobRecord, workers: Sequence[WorkerRecord], most: int
) -> list[str]:
    """The first of those, at most so many, in about the order in which they are claimed."""
    keys, own = connection.keys, shelf_of(connection.keys, record)
    with connection.reach() as client:
        lots = live_lots(client, keys, workers)
        pipeline = client.pipeline(transaction=False)
        pipeline.zrank(own.key, record.id)
        pipeline.zscore(own.key, record.id)
        rank, score = pipeline.execute()
        if rank is None:
            return []
        floor = score // _RANK * _RANK
        if rank:  # those of its own list that were made at the same moment count by their id
            pipeline.zrange(own.key, 0, min(rank, most) - 1, withscores=True)
        others = sorted(shelves(keys, workers, lots) - {own}, key=lambda shelf: shelf.key)
        for shelf in others:
            before = score if shelf.share == own.share else floor
            pipeline.zrangebyscore(shelf.key, "-inf", f"({before:.0f}", 0, most, withscores=True)
        found = [(place, i) for entries in pipeline.execute() for i, place in entries]
        mine = sum(place >= floor for place, _ in found)
        by_share: dict[str, list[tuple[float, str]]] = {}
        strangers = [shelf for shelf in others if shelf.share != own.share and mine]
        for shelf in strangers:
            pipeline.zrangebyscore(
                shelf.key, f"{floor:.0f}", f"({floor + _RANK:.0f}", 0, mine, withscores=True
            )
        for shelf, entries in zip(strangers, pipeline.execute() if strangers else (), strict=True):
            by_share.setdefault(shelf.share, []).extend((place, i) for i, place in entries)
        for entries in by_share.values():
            found += sorted(entries)[:mine]
    return [i for _, i in sorted(found)[:most]]


def anything_for(connection: Connection, worker: WorkerRecord) -> str | None:
    """Id of a ready job that a worker could take now; jobs whose user is at a quota are left out."""
    keys = connection.keys
    with connection.reach() as client:
        found = list(shelves(keys, [worker], live_lots(client, keys, [worker])))
        pipeline = client.pipeline(transaction=False)
        for shelf in found:
            pipeline.zrange(shelf.key, 0, 0)
        heads = [(shelf, ids[0]) for shelf, ids in zip(found, pipeline.execute(), strict=True) if ids]
        if not heads:
            return None
        limits = {name: int(most) for name, most in client.hgetall(keys.quota("running")).items()}
        first = client.get(keys.first_user) or "" if limits else ""
        for shelf, job_id in heads:
            user = dict(parts_of(shelf.share)).get("u", first)
            if user not in limits or client.scard(keys.of_user(user, "running")) < limits[user]:
                return str(job_id)
    return None


def _places(worker: WorkerRecord) -> list[Place]:
    return [(c, root) for c in worker.classes for root in (None, *worker.roots)]
