"""Who stands before a ready job: counted by the ready sets, no record is read.

Of one user's jobs the order is exact. Users take turns (see claim.lua): of another's jobs of the same rank
(priority, and handed back or not) as many count as would be claimed before it if nothing ended meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from srqueue.store.connection import Connection
from srqueue.store.keys import Keys
from srqueue.store.offers import fits, parts_of
from srqueue.store.record import JobRecord, WorkerRecord
from srqueue.store.turns import standings

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
        places, looked_at = pipeline.execute(), list[tuple[str, str, str]]()
        own_of: dict[str, str] = {}
        in_line: dict[str, int] = {}  # those of its own share and rank that stand before it
        for (record, workers), rank, score in zip(pairs, places[::2], places[1::2], strict=True):
            if rank is None:
                continue
            own_shelf = shelf_of(keys, record)
            kind = (own_shelf, id(workers))
            if kind not in known:
                known[kind] = shelves(keys, workers, lots) - {own_shelf}
            own_of[record.id], in_line[record.id] = own_shelf.share, int(rank)
            floor = score // _RANK * _RANK
            pipeline.zcount(own_shelf.key, "-inf", f"({floor:.0f}")
            looked_at.append((record.id, "own", own_shelf.share))
            for shelf in known[kind]:
                pipeline.zcount(shelf.key, "-inf", f"({floor:.0f}")
                pipeline.zcount(shelf.key, f"{floor:.0f}", f"({score:.0f}")
                looked_at += [(record.id, "better", shelf.share), (record.id, "older", shelf.share)]
                if shelf.share != own_shelf.share:
                    pipeline.zcount(shelf.key, f"{floor:.0f}", f"({floor + _RANK:.0f}")
                    looked_at.append((record.id, "beside", shelf.share))
        # By job and share: of a better rank, and of its own rank: those that are older, and all of others.
        counts = {i: {what: Counter[str]() for what in ("better", "older", "beside")} for i in own_of}
        for (job_id, what, share), number in zip(looked_at, pipeline.execute(), strict=True):
            if what == "own":
                in_line[job_id] -= int(number)
            counts[job_id]["better" if what == "own" else what][share] += int(number)
        everybody = {share for one in counts.values() for by_share in one.values() for share in by_share}
        others_wait = any(+one["beside"] for one in counts.values())
        turns = standings(client, keys, everybody) if others_wait else None
    found = {record.id: 0 for record, _ in pairs}
    for job_id, own in own_of.items():
        better, older, beside = (counts[job_id][what] for what in ("better", "older", "beside"))
        place = in_line[job_id] + older.pop(own, 0)
        others = turns.before(own, place, +beside, older, better) if turns is not None else {}
        found[job_id] = place + sum(better.values()) + sum(others.values())
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
        parts = pipeline.execute()
        found = [(place, i) for entries in parts for i, place in entries]
        looked_at = [*([own] if rank else []), *others]
        better = Counter(
            shelf.share
            for shelf, entries in zip(looked_at, parts, strict=True)
            for _, place in entries
            if place < floor
        )
        mine = sum(place >= floor for place, _ in found)
        by_share: dict[str, list[tuple[float, str]]] = {}
        strangers = [shelf for shelf in others if shelf.share != own.share]
        for shelf in strangers:
            pipeline.zrangebyscore(
                shelf.key, f"{floor:.0f}", f"({floor + _RANK:.0f}", 0, most, withscores=True
            )
        for shelf, entries in zip(strangers, pipeline.execute() if strangers else (), strict=True):
            by_share.setdefault(shelf.share, []).extend((place, i) for i, place in entries)
        waiting = {share: len(entries) for share, entries in by_share.items() if entries}
        if waiting:
            turns = standings(client, keys, {own.share, *waiting, *better})
            older = {share: sum(place < score for place, _ in by_share[share]) for share in waiting}
            for share, number in turns.before(own.share, mine, waiting, older, better).items():
                found += sorted(by_share[share])[:number]
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
