"""A page of the list of jobs, by the store's indexes: one deep in 100,000 costs what the first does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from srqueue.monitor.cards import by_name, card
from srqueue.monitor.searching import search
from srqueue.queue.starts import start_forecasts
from srqueue.queue.waiting import why_waiting, with_able
from srqueue.run.reasons import JobState
from srqueue.store.overview import count_campaigns, leases, ready_ids
from srqueue.store.quotas import Quotas
from srqueue.store.record import JobRecord, WorkerRecord
from srqueue.store.store import Store

FORECASTS = 200
"""Waiting jobs of one answer that get a forecast and a reason; a list of thousands is for an overview."""
_WAITING = (JobState.QUEUED, JobState.HELD)


@dataclass(frozen=True)
class Asked:
    """What a list is asked for. `states`: none means all; `next_first`: waiting jobs by who is next."""

    states: tuple[JobState, ...] = ()
    campaign: str | None = None
    text: str = ""
    page: int = 1
    size: int = 50
    next_first: bool = False


def job_list(store: Store, asked: Asked) -> dict[str, Any]:
    """Total, counts by state and the cards of a page, newest first."""
    counts: dict[JobState, int]
    more, offset = False, (asked.page - 1) * asked.size
    workers = store.workers()
    if asked.text:
        found = search(store, asked.text, asked.states, asked.campaign)
        total, counts, more = len(found.ids), found.counts, found.more
        records = store.many(found.ids[offset : offset + asked.size])
    else:
        counts = _counts(store, asked.campaign)
        states = asked.states or None
        total = sum(counts[s] for s in asked.states or JobState)
        if asked.next_first and asked.campaign is None:
            records = next_ones(store, workers, offset, asked.size)
        else:
            records = store.list(states, asked.size, offset, campaign=asked.campaign)
    return {
        "total": total, "page": asked.page, "pages": max(1, -(-total // asked.size)), "more": more,
        "counts": {str(s): n for s, n in counts.items()}, "jobs": cards(store, records, workers),
        "workers": len(workers),
    }  # fmt: skip


def cards(
    store: Store, records: Sequence[JobRecord], workers: Sequence[WorkerRecord]
) -> list[dict[str, Any]]:
    """Cards with reasons for waiting, forecasts and signs of life."""
    waiting = [r for r in records if r.state in _WAITING][:FORECASTS]
    ahead = store.aheads(with_able(waiting, workers))
    now, left = leases(store.connection, (r.id for r in records if r.state is JobState.RUNNING))
    full = Quotas(store.connection).full() if waiting else {}
    waits = {r.id: why_waiting(r, workers, ahead.get(r.id, 0), now, full) for r in waiting}
    starts, devices = start_forecasts(store, waiting, workers, ahead), by_name(workers)
    return [
        card(r, devices, waits=waits.get(r.id), starts_in_s=starts.get(r.id), lease_left_s=left.get(r.id))
        for r in records
    ]


def next_ones(store: Store, workers: Sequence[WorkerRecord], offset: int, most: int) -> tuple[JobRecord, ...]:
    """Jobs that the workers that are up would take, best first; then those that wait for something else."""
    ready = ready_ids(store.connection, workers, offset + most)
    records = list(store.many(ready[offset:]))
    if len(records) < most:
        others = store.list(_WAITING, most + len(ready))
        taken = set(ready)
        records += [r for r in others if r.id not in taken][: most - len(records)]
    return tuple(records)


def _counts(store: Store, campaign: str | None) -> dict[JobState, int]:
    if campaign is None:
        return store.count_by_state()
    return count_campaigns(store.connection, [campaign])[campaign]
