"""`srqueue plan`: what of the waiting jobs fits into so many hours, and priorities that make it so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from srqueue.errors import UsageError
from srqueue.forecast.bands import Band
from srqueue.forecast.choosing import Candidate, Choice, choose, spread_of
from srqueue.forecast.fleet import Task
from srqueue.queue.ends import at_rungs
from srqueue.queue.of_queue import MOST, Length, OfQueue
from srqueue.run.reasons import JobState
from srqueue.store.record import JobRecord
from srqueue.store.store import Store

MOST_PLANNED = 300
_WAITING = (JobState.QUEUED, JobState.HELD)
_OPEN_DB = 0.5
"""Standard deviation of the quality of a job like which nothing has run."""
_FIRST, _LAST, _REST = 8, 6, 3
"""Priorities of what fits, from the first to the last of it, and of the rest at the most."""


@dataclass(frozen=True)
class HoursPlan:
    """What fits into `hours`. `unknown`: jobs of which no length is known; `left_out`: further back than
    is looked; `to_rung`: planned to their next rung only; `at_rungs`: paused there, which may go on."""

    hours: float
    choice: Choice
    jobs: dict[str, JobRecord]
    psnr: dict[str, Band]
    lengths: dict[str, Length]
    unknown: tuple[JobRecord, ...] = ()
    left_out: int = 0
    to_rung: int = 0
    at_rungs: int = 0


def plan_hours(store: Store, hours: float, now: float, campaign: str | None = None) -> HoursPlan:
    """Of the waiting jobs, those of a campaign alone if one is named. Raises UsageError without a worker."""
    queue = OfQueue.read(store, now)
    if not queue.servers:
        raise UsageError("no worker is up: nothing can be planned", hint="srqueue up")
    if campaign is not None and not store.count(campaign=campaign):
        raise UsageError(f"there is no campaign {campaign!r}", hint="srqueue campaign ls")
    waiting = [r for r in queue.records if r.state is not JobState.RUNNING]
    asked = [r for r in waiting if campaign is None or campaign in r.campaigns or r.held_by == campaign]
    known = [r for r in asked if r.id in queue.lengths]
    planned = known[:MOST_PLANNED]
    running = [t for t in queue.tasks() if t.on is not None]
    candidates = [_candidate(r, queue) for r in planned]
    choice = choose(candidates, running, queue.servers, hours * 3600, queue.best, queue.caps, queue.budgets)
    return HoursPlan(
        hours, choice, {r.id: r for r in planned},
        {r.id: band for r in planned if (band := queue.psnr(r)) is not None},
        {r.id: queue.lengths[r.id] for r in planned},
        tuple(r for r in asked if r.id not in queue.lengths),
        len(known) - len(planned) + max(store.count(_WAITING, campaign=campaign) - len(asked), 0),
        sum(r.until is not None for r in planned), at_rungs(store, MOST, campaign),
    )  # fmt: skip


def priorities(plan: HoursPlan) -> dict[str, int]:
    """What would make the workers do as planned: by id, those alone that are to change."""
    order = plan.choice.order
    wanted = {
        c.id: _FIRST - (_FIRST - _LAST + 1) * place // max(len(order), 1) for place, c in enumerate(order)
    }
    wanted |= {i: min(plan.jobs[i].priority, _REST) for i in plan.choice.rest}
    return {i: priority for i, priority in wanted.items() if priority != plan.jobs[i].priority}


def _candidate(record: JobRecord, queue: OfQueue) -> Candidate:
    task: Task = replace(queue.task(record), cap=record.held_by)
    band, data = queue.psnr(record), queue.data_of(record)
    if band is not None:
        return Candidate(task, (band.middle, spread_of(band.low, band.high)), data)
    # Nothing like it has run: it may be as good as what there is, and much is to be learned.
    return Candidate(task, (queue.best.get(data, 0.0), _OPEN_DB), data)


def chosen_ids(choice: Choice) -> Sequence[str]:
    """In the order in which they are to run."""
    return [c.id for c in choice.order]
