"""Doorbells: Celery messages that wake a worker of a device class."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from celery import Celery
from kombu.entity import Queue

from srqueue.queue.routing import TASK_RUN_JOB, own_queue, queue_name
from srqueue.store.record import Bell, JobRecord, WorkerRecord

log = logging.getLogger(__name__)

_OWN_BELL_MS = 3_600_000
"""How long a bell of one worker is kept: one that has died hears it never. One that lives looks by itself."""


def bell_of(record: JobRecord) -> Bell:
    """The bell of a ready job."""
    return Bell(record.id, record.device_class)


def ring(app: Celery, bell: Bell) -> bool:
    """Wakes a worker; False where that failed."""
    try:
        app.send_task(
            TASK_RUN_JOB,
            args=[bell.job_id],
            queue=queue_name(bell.device_class),
            ignore_result=True,
            retry=False,
        )
    except Exception as error:  # whatever it is: the record stands, and a sweeper rings
        log.warning("nobody was woken for job %s: %s", bell.job_id, error)
        return False
    return True


def ring_worker(app: Celery, worker: str, job_id: str) -> bool:
    """Wakes one worker, unless as much was said to it already; False where that failed."""
    queue = Queue(own_queue(worker))  # type: ignore[no-untyped-call]
    try:
        with app.connection_for_write() as connection:
            channel = connection.default_channel
            if channel.queue_declare(queue=queue.name).message_count:
                return True
            app.send_task(TASK_RUN_JOB, args=[job_id], queue=queue, ignore_result=True, retry=False)
            channel.client.pexpire(queue.name, _OWN_BELL_MS)
    except Exception as error:
        log.warning("worker %s was not woken for job %s: %s", worker, job_id, error)
        return False
    return True


def ring_missing(app: Celery, bells: Iterable[Bell]) -> int:
    """Rings for ready jobs, but for no more than lack a bell: any bell of a class serves any of its jobs.

    Without this, jobs that wait for hours behind a busy worker would pile up bells.
    """
    by_class: dict[str, list[Bell]] = {}
    for bell in bells:
        by_class.setdefault(bell.device_class, []).append(bell)
    rung = 0
    for device_class, ready in by_class.items():
        lacking = len(ready) - waiting(app, device_class)
        rung += sum(ring(app, bell) for bell in ready[: max(lacking, 0)])
    return rung


def ring_for_many(app: Celery, bells: Sequence[Bell], workers: Iterable[WorkerRecord]) -> int:
    """Rings for the first of many new jobs: for as many as there are workers to hear it, and at least one.

    The sweepers ring for the others while they wait.
    """
    known = list(workers)
    by_class: dict[str, list[Bell]] = {}
    for bell in bells:
        by_class.setdefault(bell.device_class, []).append(bell)
    rung = 0
    for device_class, some in by_class.items():
        hearing = sum(device_class in w.classes and w.draining is None and w.yielding is None for w in known)
        rung += sum(ring(app, bell) for bell in some[: max(hearing, 1)])
    return rung


def waiting(app: Celery, device_class: str) -> int:
    """Bells of a class that no worker has heard yet."""
    with app.connection_for_write() as connection:
        # Not passive: kombu looks for the queue without the key prefix, and would never find it.
        declared = connection.default_channel.queue_declare(queue=queue_name(device_class))
        return int(declared.message_count)
