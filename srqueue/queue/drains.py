"""Asking workers to end: of a host, or one by name."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from srqueue.errors import UsageError, did_you_mean
from srqueue.run.reasons import JobState
from srqueue.store.drains import Drain
from srqueue.store.record import JobRecord, WorkerRecord
from srqueue.store.store import Store

_LOOK = 0.2  # seconds between two looks at workers that are waited for
_MOST = 10_000  # running jobs


@dataclass(frozen=True)
class Drained:
    """A worker that was asked to end, how, and the jobs that it runs."""

    worker: WorkerRecord
    how: Drain
    jobs: tuple[JobRecord, ...]


def drain(store: Store, target: str, how: Drain) -> tuple[Drained, ...]:
    """Asks every worker of the host `target`, or the one of that name, to end.

    They learn it with their next announcement. Raises UsageError where no such worker is up.
    """
    up = store.workers()
    meant = [w for w in up if target in (w.name, w.host)]
    if not meant:
        known = {w.name for w in up} | {w.host for w in up}
        hint = did_you_mean(target, known) if up else "no worker is up"
        raise UsageError(f"there is no worker and no host {target!r}", where="HOST|WORKER", hint=hint)
    for worker in meant:
        store.drain(worker.name, how)
    # Looked at afterwards: what a worker takes until it hears of this is told as well, mostly.
    running = store.list([JobState.RUNNING], limit=_MOST)
    return tuple(Drained(w, how, tuple(job for job in running if job.worker == w.name)) for w in meant)


def still_up(store: Store, workers: Iterable[WorkerRecord]) -> tuple[WorkerRecord, ...]:
    """Those of `workers` that are still announced; one that was started again is another."""
    now = {(w.name, w.pid, w.since) for w in store.workers()}
    return tuple(w for w in workers if (w.name, w.pid, w.since) in now)


def wait_until_gone(
    store: Store, workers: Iterable[WorkerRecord], seconds: float
) -> tuple[WorkerRecord, ...]:
    """Those of `workers` that are still up after `seconds`; returns as soon as there are none."""
    deadline = time.monotonic() + seconds
    while left := still_up(store, workers):
        if time.monotonic() >= deadline:
            break
        time.sleep(_LOOK)
    return left
