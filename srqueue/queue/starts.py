"""When a waiting job will begin: what runs and stands before it, played through on the workers."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from srqueue.forecast.fleet import Server, Task, play_queue
from srqueue.queue.clocks import Clocks
from srqueue.queue.ends import limits_of, told_of
from srqueue.queue.waiting import with_able
from srqueue.run.reasons import JobState
from srqueue.store.record import JobRecord, WorkerRecord
from srqueue.store.store import Store

MOST_AHEAD = 500
"""Jobs that are played through; who stands further back gets no forecast."""
_LOOKED_AT = 100
_MOST_RUNNING = 2000


def start_forecasts(
    store: Store, waiting: Sequence[JobRecord], workers: Sequence[WorkerRecord], ahead: Mapping[str, int]
) -> dict[str, float]:
    """Seconds until each of `waiting` begins, by id; one that nothing is known of is left out.

    `ahead`: of `Reader.aheads`: how many stand before each.
    """
    asked = [
        (record, may)
        for record, may in with_able(waiting, workers)
        if may and record.state is JobState.QUEUED and record.not_before is None
    ]
    if not asked:
        return {}
    running = store.list([JobState.RUNNING], _MOST_RUNNING)
    rates = speeds([*running, *store.list([JobState.SUCCEEDED], _LOOKED_AT)])
    groups: dict[tuple[str, str | None, str], list[tuple[int, JobRecord, Sequence[WorkerRecord]]]] = {}
    for record, may in asked:
        if (place := ahead.get(record.id, 0)) <= MOST_AHEAD:
            kind = (record.device_class, record.root_id, record.lot)
            groups.setdefault(kind, []).append((place, record, may))
    found: dict[str, float] = {}
    for members in groups.values():
        most, last, may = max(members, key=lambda member: member[0])
        before = store.first_ahead(last, may, most) if most else ()
        begins = starts(before, may, running, rates, last)
        found |= {
            r.id: begins[place]
            for place, r, _ in members if place < len(begins) and math.isfinite(begins[place])
        }  # fmt: skip
    return found


def speeds(records: Iterable[JobRecord]) -> dict[str, float]:
    """Iterations a second by network, and under "" of whatever; medians of what was seen."""
    seen: dict[str, list[float]] = {}
    for record in records:
        rate = _rate(record)
        if rate is not None:
            for kind in ("", _kind(record)):
                seen.setdefault(kind, []).append(rate)
    return {kind: median(rates) for kind, rates in seen.items()}


def starts(
    before: Sequence[JobRecord], workers: Sequence[WorkerRecord], running: Iterable[JobRecord],
    rates: Mapping[str, float], last: JobRecord | None = None,
) -> list[float]:  # fmt: skip
    """Seconds until the first of `before` begins, the second, ..., and who comes after them: `last`, or one
    that may run at any time.

    Ends where the length of a job is not known; infinite for one that will not begin. Windows are foreseen;
    early stopping, pauses, budgets and jobs of higher priority that come meanwhile are not.
    """
    if not workers:
        return []
    names, clocks, tasks = {w.name for w in workers}, Clocks(time.time(), workers), list[Task]()
    for job in running:
        if job.worker in names:
            if (left := _seconds_left(job, rates, clocks)) is None:
                return []
            tasks.append(Task(f"runs {len(tasks)}", left, on=job.worker, hours=clocks.of_job(job)))
    asked = list[str]()
    for place, job in enumerate(before):
        left = _seconds_left(job, rates, clocks)
        asked.append(str(place))
        tasks.append(Task(asked[-1], left or 0.0, order=place, hours=clocks.of_job(job)))
        if left is None:
            break
    else:
        asked.append(str(len(before)))
        tasks.append(Task(asked[-1], 0.0, order=len(before), hours=clocks.of_job(last) if last else None))
    taken = Counter(task.on for task in tasks)
    servers = [
        Server(w.name, max(w.slots, taken[w.name]), ("any",), hours=clocks.of_worker(w)) for w in workers
    ]
    found = play_queue(tasks, servers)
    return [found[i].begin if i in found else math.inf for i in asked]


def _seconds_left(job: JobRecord, rates: Mapping[str, float], clocks: Clocks) -> float | None:
    forecast = told_of(job) if job.state is JobState.RUNNING else None
    if forecast is not None and forecast.end is not None:  # it knows of early stopping
        return clocks.training(job, forecast.end.middle)
    told = job.progress.get("eta_s")
    if job.state is JobState.RUNNING and isinstance(told, int | float):
        return float(told)
    rate = rates.get(_kind(job)) or rates.get("")
    return max(limits_of(job).length(job.total_iter) - job.iteration, 0) / rate if rate else None


def _rate(record: JobRecord) -> float | None:
    if record.state is JobState.RUNNING:
        told = record.progress.get("it_s")
        return float(told) if isinstance(told, int | float) and told > 0 else None
    if record.started is None or record.finished is None or record.finished <= record.started:
        return None
    return record.iteration / (record.finished - record.started) or None


def _kind(record: JobRecord) -> str:
    network = record.spec.get("network_g")
    return str(network.get("type", "")) if isinstance(network, Mapping) else ""
