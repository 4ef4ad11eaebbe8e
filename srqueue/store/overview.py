"""What lists and pages show of many jobs at once, in few round trips."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from srqueue.run.reasons import JobState
from srqueue.store.connection import Connection
from srqueue.store.ready import live_lots, shelves
from srqueue.store.record import WorkerRecord


def count_campaigns(connection: Connection, names: Sequence[str]) -> dict[str, dict[JobState, int]]:
    """How many jobs of each campaign are in each state."""
    with connection.reach() as client:
        pipeline = client.pipeline(transaction=False)
        for name in names:
            for state in JobState:
                pipeline.zcard(connection.keys.campaign(name, state))
        counts = iter(pipeline.execute())
    return {name: {state: int(next(counts)) for state in JobState} for name in names}


def leases(connection: Connection, ids: Iterable[str]) -> tuple[float, dict[str, float]]:
    """UTC s of the Redis server; seconds that the lease of each job lasts, negative once it ran out."""
    asked = list(ids)
    with connection.reach() as client:
        pipeline = client.pipeline(transaction=False)
        pipeline.time()
        for job_id in asked:
            pipeline.zscore(connection.keys.leases, job_id)
        (seconds, micros), *ends = pipeline.execute()
    now = float(seconds) + float(micros) / 1e6
    return now, {i: float(end) - now for i, end in zip(asked, ends, strict=True) if end is not None}


def ready_ids(connection: Connection, workers: Iterable[WorkerRecord], most: int) -> list[str]:
    """The first ready jobs that these workers would take, by priority and age: that users take turns is not
    looked at."""
    known = list(workers)
    with connection.reach() as client:
        found_lots = live_lots(client, connection.keys, known)
        pipeline = client.pipeline(transaction=False)
        for shelf in shelves(connection.keys, known, found_lots):
            pipeline.zrange(shelf.key, 0, most - 1, withscores=True)
        found = sorted((place, i) for entries in pipeline.execute() for i, place in entries)
    return [i for _, i in found[:most]]


def newest_event(connection: Connection, job_id: str) -> str | None:
    """The position of the newest line in the job's stream."""
    with connection.reach() as client:
        found = client.xrevrange(connection.keys.events(job_id), count=1)
    return str(found[0][0]) if found else None


def figures(connection: Connection, key: str, most: int) -> dict[str, Mapping[str, Any]]:
    """Progress and final metrics of the newest `most` jobs of a list (a key of `Keys`), by id."""
    with connection.reach() as client:
        ids = client.zrevrange(key, 0, most - 1)
        pipeline = client.pipeline(transaction=False)
        for job_id in ids:
            pipeline.hmget(connection.keys.job(job_id), "progress", "metrics")
        rows = zip(ids, pipeline.execute(), strict=True)
    return {i: {k: v for text in row if text for k, v in json.loads(text).items()} for i, row in rows}
