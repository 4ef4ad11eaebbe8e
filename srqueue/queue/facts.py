"""All that is known of one job, from Redis and from its run folder where that is on this machine."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from srqueue.queue.waiting import able, held_by, why_waiting
from srqueue.run.evidence import Evidence, gather
from srqueue.run.reasons import JobState
from srqueue.store.attempts import AttemptRecord
from srqueue.store.moments import Moments
from srqueue.store.quotas import Quotas, UserStanding
from srqueue.store.record import JobRecord, WorkerRecord
from srqueue.store.run_folders import run_of
from srqueue.store.store import Store

NAMED = 3
"""Jobs that stand before a waiting one and are named."""
_RUNNING = 1000


@dataclass(frozen=True)
class Facts:
    """A job as it stood at `moments.now`.

    `waits`: what `why_waiting` says; `ahead`: how many ready jobs stand before it, `first_ahead`: the first;
    `running`: the jobs that run; `here`: whether its run folder should be on this machine; `evidence`: None
    where it is not, or gone; `free`: bytes under its runs root, where that is here; `users`: what each has.
    """

    job: JobRecord
    moments: Moments
    attempts: Sequence[AttemptRecord] = ()
    workers: Sequence[WorkerRecord] = ()
    waits: str | None = None
    ahead: int = 0
    first_ahead: Sequence[JobRecord] = ()
    running: Sequence[JobRecord] = ()
    here: bool = False
    evidence: Evidence | None = None
    free: int | None = None
    users: Sequence[UserStanding] = ()

    @property
    def now(self) -> float:
        """UTC s of the Redis server."""
        return self.moments.now

    @property
    def last(self) -> AttemptRecord | None:
        """The newest attempt that has ended."""
        return next((a for a in reversed(self.attempts) if a.ended is not None), None)

    @property
    def able(self) -> list[WorkerRecord]:
        """The workers that may take it."""
        return able(self.job, self.workers)

    def runs_on(self, worker: WorkerRecord) -> list[JobRecord]:
        """The jobs that a worker runs: one in each of its slots at the most."""
        return [job for job in self.running if job.worker == worker.name]


def facts_of(store: Store, job_id: str) -> Facts:
    """Raises UsageError where there is no such job, ServiceUnreachable without Redis."""
    job, moments = store.get(job_id), store.moments(job_id)
    workers = store.workers()
    waiting = job.state in (JobState.QUEUED, JobState.HELD)
    may = able(job, workers)
    ahead, quotas = store.ahead(job, may) if waiting else 0, Quotas(store.connection)
    here = job.run_dir is not None and job.host in (None, socket.gethostname())
    run = run_of(job) if here else None
    return Facts(
        job=job,
        moments=moments,
        attempts=store.attempts(job_id),
        workers=workers,
        waits=(job.held_by and held_by(store, job.held_by))
        or why_waiting(job, workers, ahead, moments.now, quotas.full() if waiting else {}),
        users=quotas.all() if waiting else (),
        ahead=ahead,
        first_ahead=store.first_ahead(job, may, NAMED) if ahead else (),
        running=store.list([JobState.RUNNING], _RUNNING) if waiting else (),
        here=here,
        evidence=gather(run, moments.now) if run else None,
        free=_free(run.path if run else store.connection.settings.runs_root) if here else None,
    )


def _free(folder: Path) -> int | None:
    """Bytes free where the folder is, or would be."""
    for path in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(path).free
    return None
