"""Whether a worker leaves a job that it has claimed to a faster one, which is busy and will be free soon.

A job that has begun is never left. It pays where workers are very unlike: with one ten times as fast as the
other and seldom a queue, jobs end a quarter sooner on average, and nothing is lost under load
(benchmarks/results/leaving.json). Where more jobs wait than there are faster workers, none is left, so that
all of them work. How long a job is left is bound when it is left first: a forecast that does not hold costs a
quarter of what it said and a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from srqueue.counting import span
from srqueue.forecast.earlier import Earlier
from srqueue.forecast.kinds import work_text
from srqueue.queue.ends import limits_of, told_of
from srqueue.queue.histories import earlier_runs
from srqueue.queue.steering import is_on_its_device, pace
from srqueue.queue.waiting import able
from srqueue.run.reasons import JobState
from srqueue.spec.job import JobSpec
from srqueue.store.record import JobRecord, WorkerRecord
from srqueue.store.store import Store

_LOOKED_AT = 50  # ended jobs
_RUNNING = 500
WORTH = 0.8  # of the time that it would take here, it ends within there
LATER, GRACE = 1.25, 60.0  # how far a forecast may be off: times, and seconds
_SHORTEST, _LONGEST = 5.0, 30.0  # seconds until it is looked at again: the other may be free by then


@dataclass(frozen=True)
class Left:
    """`at`: when it is looked at again, `until`: when anybody takes it (both UTC s); `to`: name of the faster
    worker."""

    at: float
    until: float
    to: str
    text: str


def leaves(store: Store, job: JobRecord, own: str, now: float) -> Left | None:
    """None: the worker `own`, which has claimed the job, trains it. `now`: UTC s."""
    if job.attempts != 1 or job.seq is not None or job.wish or (job.left_until and now >= job.left_until):
        return None
    # A claim's record says where its folder would come here; until `bind` it may come anywhere.
    job = replace(job, root_id=store.get(job.id).root_id)
    workers = store.workers()
    me = next((w for w in workers if w.name == own), None)
    others = [w for w in able(job, workers) if w.name != own and w.offer and not w.window]
    if me is None or not any(w.offer and me.offer and w.offer.model != me.offer.model for w in others):
        return None
    waiting = store.count([JobState.QUEUED, JobState.HELD])  # beside this one
    if waiting >= len(others):
        return None
    try:
        spec = JobSpec.model_validate(job.spec)
    except ValidationError:
        return None
    earlier, running = earlier_runs(store, _LOOKED_AT), store.list([JobState.RUNNING], _RUNNING)
    here = _seconds(job, spec, me, earlier)
    if here is None:
        return None
    found = [
        (free + there, free, there, w)
        for w in others
        if (there := _seconds(job, spec, w, earlier)) is not None and there < WORTH * here
        and (free := _free_in(w, running, job, now)) is not None
    ]  # fmt: skip
    if waiting >= len(found):
        return None
    ends, free, _, chosen = min(found, key=lambda row: row[:3])
    if ends >= WORTH * here:
        return None
    until = job.left_until or now + LATER * free + GRACE
    when = "is free" if not free else f"is free in about {span(free)}"
    text = (
        f"left to {chosen.name}, which {when} and ends it about {span(here - ends)} sooner than {own}; in "
        f"{span(until - now)} any worker takes it"
    )
    return Left(min(now + min(max(free, _SHORTEST), _LONGEST), until), until, chosen.name, text)


def _seconds(job: JobRecord, spec: JobSpec, worker: WorkerRecord, earlier: Earlier) -> float | None:
    if not is_on_its_device(spec, worker):
        return None
    rate = pace(spec, worker, earlier) or worker.speeds.get(work_text(spec))
    return limits_of(job).length(job.total_iter) / rate if rate else None


def _free_in(worker: WorkerRecord, running: Sequence[JobRecord], job: JobRecord, now: float) -> float | None:
    """Seconds until a slot is free; None where that is not known, or a job of lower priority runs there: that
    one would be asked to give way, were this one not left."""
    mine = [r for r in running if r.worker == worker.name and r.id != job.id]
    if len(mine) < worker.slots:
        return 0.0
    if any(r.priority < job.priority for r in mine):
        return None
    ends = [end for r in mine if (end := _left(r, now)) is not None]
    return min(ends, default=None)


def _left(record: JobRecord, now: float) -> float | None:
    told = told_of(record)
    if told is not None and told.end is not None:
        return max(told.end.middle - now, 0.0)
    eta = record.progress.get("eta_s")
    return float(eta) if isinstance(eta, int | float) else None
