"""run_job: what a doorbell sets off."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import time
from contextlib import closing
from functools import cache
from typing import Any

from celery import Celery

from srqueue.errors import ServiceUnreachable, SrqueueError, UsageError
from srqueue.queue.app import make_app
from srqueue.queue.doorbell import bell_of, ring, ring_missing, ring_worker
from srqueue.queue.drawing import installed
from srqueue.queue.leaving import leaves
from srqueue.queue.routing import TASK_RUN_JOB, is_own
from srqueue.queue.steering import pass_on
from srqueue.queue.stewarding import tend
from srqueue.remote.root import remote_root_id
from srqueue.run.folder import read_root_id
from srqueue.run.reasons import CONSEQUENCES, JobState, StopReason
from srqueue.store.connection import Connection
from srqueue.store.patience import patiently
from srqueue.store.record import Claim, JobRecord
from srqueue.store.store import Store
from workers import draining, yielding
from workers.app import app, own_spares, settings, this_device
from workers.asker import draw_and_ring
from workers.learnt import learn
from workers.progress import FlowerReport
from workers.supervisor import Supervisor
from workers.trusting import is_job
from workers.verdicts import report_beside
from workers.windows import opening_of, put_off

log = logging.getLogger(__name__)


class JobFailed(Exception):
    """The job, or this attempt at it, failed: shown by Flower as a failed task."""


@cache
def _store() -> Store:
    """One for all jobs of this process; where its connection broke meanwhile, `patiently` asks again."""
    return Store(Connection(settings()))


@cache
def _app_on(broker_url: str) -> Celery:
    return make_app(_store().connection.settings)


def _broker() -> Celery:
    """The app of the server that has the records: the queue may have moved there (`srqueue migrate`)."""
    there = _store().connection.settings.broker_url
    return app if there == settings().broker_url else _app_on(there)


@app.task(name=TASK_RUN_JOB, bind=True, ignore_result=True, throws=(JobFailed, ServiceUnreachable))  # type: ignore[untyped-decorator]
def run_job(task: Any, hint: str) -> str:
    """Claims the best ready job and supervises it to its end.

    `hint` is the job that the bell was rung for; another may be better by now, or it may run already.
    """
    with draining.on_sigterm():
        if draining.asked() or draining.finishing():
            return "this worker is ending"
        if why := yielding.why():
            return f"this worker takes no jobs now: {why}"
        report = FlowerReport(_broker, task.request.hostname, task.request.id)
        with closing(report):
            record = _run_best(_store(), task.request.hostname, report)
    if record is None:
        _pass_on(_store(), hint, task.request)
        return f"nothing to do for {hint[-6:].lower()}: no job is ready, or it was taken over"
    why = "" if record.message in (None, record.state) else f": {record.message}"
    text = f"{record.state}{why} · {record.name} {record.short_id}"
    if record.state is JobState.FAILED or (record.reason and CONSEQUENCES[record.reason].counts_as_failure):
        raise JobFailed(text)
    return text


def _run_best(store: Store, worker: str, report: FlowerReport) -> JobRecord | None:
    known, device, host = settings(), this_device(), socket.gethostname()
    root, offer = known.runs_root, device.offer(known)
    try:
        ids = [read_root_id(root)]
        if known.remote:  # first: where a new job goes
            ids.insert(0, remote_root_id(known.remote, root))
        roots = dict.fromkeys(ids, str(root))
    except (OSError, SrqueueError) as error:
        text = f"this worker cannot use its runs root {root}: {getattr(error, 'strerror', None) or error}"
        log.error("%s; no job was claimed", text)
        raise JobFailed(text) from None

    def next_one() -> Claim | None:
        owner, claim_id = f"{worker}:{os.getpid()}", secrets.token_hex(8)
        return patiently(
            lambda: store.claim(owner, host, device.classes, known.lease, roots, claim_id, offer), known.lease
        )

    def claimed() -> Claim | None:
        """One that is what its key says it is; another is nobody's job: its lease runs out."""
        while (claim := next_one()) is not None and not is_job(claim.record, root):
            log.error("a record of Redis is no job and is left alone: %r", claim.record.id[:64])
        return claim

    claim = claimed()
    while claim is not None:
        if opening := opening_of(claim.record):
            put_off(store, claim, opening.at, opening.text)
        elif not _leave(store, claim, worker):
            break
        claim = claimed()
    if claim is None:
        return None
    supervisor = Supervisor(
        store, known, claim, host=host, device=device, report=report.send,
        draining=draining.asked, at_once=draining.at_once, spares=own_spares(), yielding=yielding.why,
    )  # fmt: skip
    record = supervisor.run()
    if record is not None:
        learn(store, known, record, device)
    if record is not None and record.state is JobState.QUEUED and record.not_before is None:
        if record.reason is StopReason.PREEMPTED:
            _ring_for_the_better(store, record)
        ring(_broker(), bell_of(record))  # handed back: another worker goes on at once
    if record is not None and record.campaigns:
        _let_others_begin(store)
    return record


def _leave(store: Store, claim: Claim, worker: str) -> bool:
    """Leaves the job to a faster worker, where it ends sooner there."""
    try:
        left = leaves(store, claim.record, worker, time.time())
    except (SrqueueError, ValueError) as error:
        log.debug("no forecast of where job %s ends first: %s", claim.record.short_id, error)
        return False
    if left is None:
        return False
    put_off(store, claim, left.at, left.text, left.until)
    ring_worker(_broker(), left.to, claim.record.id)
    return True


def _pass_on(store: Store, hint: str, request: Any) -> None:
    """Wakes a worker that can run the job, where this one cannot; what was passed on once is not again."""
    if is_own(str((request.delivery_info or {}).get("routing_key"))):
        return
    with contextlib.suppress(UsageError, ServiceUnreachable):
        job = store.get(hint)
        if job.state is JobState.QUEUED and pass_on(_broker(), store, job, request.hostname):
            log.info("job %s is for another worker, which was woken", job.short_id)


def _let_others_begin(store: Store) -> None:
    """Cells of campaigns that waited for this one begin at once; else a sweeper sees to it."""
    try:
        ring_missing(_broker(), tend(store, lambda record: report_beside(store, settings(), record)))
        if installed():
            draw_and_ring(store, _broker(), store.connection.settings)
    except ServiceUnreachable as error:
        log.debug("campaigns are left to the sweepers: %s", error.message)
    except Exception:  # whatever it is: this job has ended as it ended
        log.warning("campaigns are left to the sweepers", exc_info=True)


def _ring_for_the_better(store: Store, record: JobRecord) -> None:
    """Wakes a worker for the job that `record` gave way to, where that still waits."""
    try:
        better = store.get(record.preempted_by or "")
    except (UsageError, ServiceUnreachable):
        return
    if better.state is JobState.QUEUED:
        ring(_broker(), bell_of(better))
