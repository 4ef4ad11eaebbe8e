"""Which of the waiting jobs run first, without reading their records."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nsmallest

from srqueue.run.reasons import JobState
from srqueue.store.connection import Connection

_A_CALL = 5000


def foremost(connection: Connection, states: Iterable[JobState], most: int) -> list[str]:
    """Ids of those in the states, the best first: by priority, handed back before new, then by age.

    Limits of campaigns, windows and what waits for what are not looked at.
    """
    with connection.reach() as client:
        ids = [i for state in states for i in client.zrange(connection.keys.state(state), 0, -1)]
        rows: list[tuple[int, bool, str]] = []
        for start in range(0, len(ids), _A_CALL):
            some = ids[start : start + _A_CALL]
            pipeline = client.pipeline(transaction=False)
            for job_id in some:
                pipeline.hmget(connection.keys.job(job_id), "priority", "front")
            for job_id, (priority, front) in zip(some, pipeline.execute(), strict=True):
                rows.append((-int(priority or 0), front != "1", job_id))
    return [job_id for *_, job_id in nsmallest(most, rows)]
