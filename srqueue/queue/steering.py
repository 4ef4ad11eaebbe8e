"""Who is woken for a job: of the workers that are free for it the one on which it ends first.

A doorbell is a hint: whoever is woken takes the best job that it can run, but for one that it leaves to a
faster worker (`leaving.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from celery import Celery
from pydantic import ValidationError

from srqueue.forecast.earlier import Earlier
from srqueue.forecast.kinds import work_of
from srqueue.queue.doorbell import bell_of, ring, ring_worker
from srqueue.queue.histories import earlier_runs
from srqueue.queue.waiting import able
from srqueue.spec.job import JobSpec
from srqueue.store.record import JobRecord, WorkerRecord
from srqueue.store.store import Store

_LOOKED_AT = 50
"""Running and ended jobs, of each the newest: to read hundreds would be felt at a submit."""


def wake(app: Celery, store: Store, job: JobRecord) -> None:
    """Wakes the worker that is to take a ready job; where any will do, whoever hears it first."""
    chosen = choose(store, job, store.workers())
    if chosen is None or not ring_worker(app, chosen.name, job.id):
        ring(app, bell_of(job))


def pass_on(app: Celery, store: Store, job: JobRecord, own: str) -> bool:
    """Wakes a worker for a ready job for which `own` was woken in vain; False where none is free for it."""
    workers = store.workers()
    if own in {w.name for w in able(job, workers)}:
        return False
    chosen = choose(store, job, workers, always=True)
    return chosen is not None and ring_worker(app, chosen.name, job.id)


def choose(
    store: Store, job: JobRecord, workers: Sequence[WorkerRecord], *, always: bool = False
) -> WorkerRecord | None:
    """The free worker on which a job ends first. None: there is none, or (unless `always`) all workers that
    hear of its class are equal for it."""
    hearing = [w for w in workers if job.device_class in w.classes]
    may = [w for w in able(job, workers) if w.offer is not None]
    if not always and (len(may) == len(hearing) and len({w.offer and w.offer.model for w in may}) < 2):
        return None
    taken = store.owners() if may else {}
    free = [w for w in may if taken.get(w.name, 0) < w.slots]
    if len({w.offer and w.offer.model for w in free}) < 2:
        return free[0] if free else None
    return fastest(job, free, earlier_runs(store, _LOOKED_AT))


def fastest(job: JobRecord, workers: Sequence[WorkerRecord], earlier: Earlier) -> WorkerRecord:
    """By what earlier jobs of the same work did on their devices, where that is known of all of them; else a
    GPU before a CPU, then the newer and the larger one. One for a CPU leaves the GPUs to others."""
    paces = [_pace(job, worker, earlier) for worker in workers]
    if all(paces):
        return max(zip(paces, workers, strict=True), key=lambda pair: pair[0] or 0.0)[1]

    def likely(worker: WorkerRecord) -> tuple[int, int, int]:
        offer = worker.offer
        if job.device_class == "cpu":
            return (0 if offer and offer.gpus else 1, 0, 0)
        return (min(offer.gpus, 1), offer.capability, offer.memory) if offer else (0, 0, 0)

    return max(workers, key=likely)


def _pace(job: JobRecord, worker: WorkerRecord, earlier: Earlier) -> float | None:
    try:
        return pace(JobSpec.model_validate(job.spec), worker, earlier)
    except ValidationError:
        return None


def pace(spec: JobSpec, worker: WorkerRecord, earlier: Earlier) -> float | None:
    """Iterations a second of the same work on such a device, by earlier jobs; None where none is known."""
    if not is_on_its_device(spec, worker):
        return None
    model = worker.offer.model if worker.offer else ""
    rates = [run.it_s for run in earlier.by_work.get(work_of(spec), ()) if run.it_s and run.device == model]
    return median(rates) if rates else None


def is_on_its_device(spec: JobSpec, worker: WorkerRecord) -> bool:
    """Whether it trains on what the worker offers: one for a CPU gets the processor of a GPU machine, whose
    model and speeds nobody announces."""
    return spec.compute.device != "cpu" or not (worker.offer and worker.offer.gpus)
