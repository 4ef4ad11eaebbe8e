"""The sweeper, one in every worker: expired leases and lost doorbells; it also announces the worker."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from celery.worker.state import active_requests

import srqueue
from srqueue.errors import ServiceUnreachable
from srqueue.queue.app import make_app
from srqueue.queue.device_speeds import DeviceSpeeds
from srqueue.queue.doorbell import bell_of, ring, ring_missing, ring_worker
from srqueue.queue.drawing import draws, installed
from srqueue.queue.stewarding import tend
from srqueue.remote.root import known_remote_id
from srqueue.run.folder import read_root_id
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.settings import Settings
from srqueue.store.campaigns import CampaignRecord
from srqueue.store.connection import Connection
from srqueue.store.drains import Drain
from srqueue.store.known_memory import loosen
from srqueue.store.preemption import preempt
from srqueue.store.ready import anything_for
from srqueue.store.record import Bell, LeaseLost, RecordGone, WorkerRecord
from srqueue.store.signed_queue import ask_for_signatures
from srqueue.store.store import Store
from workers import draining, yielding
from workers.asker import Asker
from workers.devices import Device
from workers.load import Load
from workers.this_machine import is_dead, machine_id
from workers.verdicts import report_beside

log = logging.getLogger(__name__)

_ANNOUNCED_FOR = 4  # sweeps
_SHORTEST_ANNOUNCEMENT = 15.0  # seconds
_CROWD = 0.001  # seconds a worker
_BEHIND = 0.005  # seconds after a moment that is due, so that it is over for sure
_BURY = 1.0  # seconds between two looks at the owners on this machine
_SHORTEST_WAIT = 0.05  # seconds
_ASKS_AFTER = 5.0  # seconds, and two sweeps, after an outage: by then every idle worker is announced again
_TOLD = {
    Drain.HAND_OVER: "its job is handed over with a checkpoint",
    Drain.FINISH: "its job is finished first",
}


class Sweeper(threading.Thread):
    """Sweeps in the worker's main process until it is stopped: every `settings.sweep` seconds, and when a
    lease or a delayed job is due. Every second it looks whether an owner on this machine has died.

    That every owner has its chance to renew after an outage is seen to by the scripts.
    """

    def __init__(
        self,
        settings: Settings,
        worker: str,
        device: Device,
        moved: Callable[[Settings], None] = lambda _: None,
    ) -> None:
        """`moved`: what else is to be done where the queue has moved to another server."""
        super().__init__(name="sweeper", daemon=True)
        self._moved = moved
        self._settings = settings
        self._store = Store(Connection(settings))
        # An own app: its connections are not shared with the consumer's thread.
        self._app = make_app(settings)
        self._record = WorkerRecord(
            name=worker, host=socket.gethostname(), pid=os.getpid(), classes=device.classes,
            device=device.label, version=srqueue.__version__, since=time.time(),
            root_id=_root_id(settings), remote_id=_remote_id(settings), slots=device.slots,
            window=settings.window, offer=device.offer(settings),
        )  # fmt: skip
        self._load, self._device, self._speeds = Load(device.uuids), device, DeviceSpeeds(settings)
        self._asker, self._draws = Asker(settings), installed()
        self._ended = threading.Event()
        # Never rarer than a worker that is alone must be in touch: see `note` in prelude.lua.
        self._longest = min(settings.sweep, settings.lease / 4)
        self._began: float | None = None  # Redis' time: requests from before were for another worker
        self._ask_from = 0.0  # monotonic s

    def run(self) -> None:
        """Sweeps until stopped; nothing that goes wrong ends it."""
        answered, sweep_at, at_last = True, 0.0, 0.0
        while not self._ended.is_set():
            try:
                if (at := time.monotonic()) >= sweep_at:
                    # What is due is due for all: the first sweeps, the others see that it is done.
                    if at >= at_last or self._store.next_due() <= 0:
                        sweep_at = at_last = at + self._longest
                        self.sweep()
                    sweep_at = min(at_last, time.monotonic() + self._until_due())
                self._bury_the_dead()
                answered = True
            except Exception as error:
                if answered:  # said once an outage
                    log.warning("no sweep: %s", str(error).splitlines()[0] if str(error) else repr(error))
                    log.debug("the sweep that failed", exc_info=True)
                answered = False
                self._ask_from = time.monotonic() + 2 * self._settings.sweep + _ASKS_AFTER
            self._ended.wait(min(_BURY, max(sweep_at - time.monotonic(), 0.0)))

    def _until_due(self) -> float:
        """Seconds; a little more, by chance, the more workers wait for the same moment."""
        crowd = random.uniform(0, _CROWD * self._store.count_workers())
        return max(self._store.next_due() + _BEHIND, _SHORTEST_WAIT) + crowd

    def sweep(self) -> None:
        """Announces the worker, sweeps once, rings where nobody was woken."""
        seconds = max(_ANNOUNCED_FOR * self._settings.sweep, _SHORTEST_ANNOUNCEMENT)
        if draining.asked():  # by a signal
            self._record = replace(self._record, draining=Drain.HAND_OVER)
        if self._settings.remote and self._record.remote_id is None:  # it did not answer yet
            self._record = replace(self._record, remote_id=_remote_id(self._settings))
        rested, why = self._record.yielding is not None, yielding.why()
        speeds = self._speeds.newest(self._device.model, self._device.slots)
        self._record = replace(self._record, load=self._load.newest(), yielding=why, speeds=speeds)
        announced = self._store.announce_worker(self._record, seconds)
        if self._began is None:
            self._began = announced.now
        self._follow(self._store.connection.settings)
        if self._store.keyring:
            ask_for_signatures(self._store.connection, self._store.keyring)
        self._obey(announced.asked_since(self._began), seconds)
        loosened = loosen(self._store.connection)
        ring_missing(self._app, [*self._store.sweep(), *tend(self._store, self._report), *loosened])
        if self._draws and draws(self._store):
            self._asker.look()
        if why is None and self._record.draining is None and self._is_free():
            self._look_for_work()
        if rested and why is None:  # the bells that it heard meanwhile it did not answer
            ring(self._app, Bell("-", self._record.classes[0]))
        if time.monotonic() >= self._ask_from:
            self._preempt()

    def _follow(self, there: Settings) -> None:
        """Bells are rung, heard and drawn where the records are now."""
        if there.store_url != self._settings.store_url:
            log.warning("the queue has moved to %s: this worker goes on there", there.shown_url)
            self._settings, self._app, self._asker = there, make_app(there), Asker(there)
            self._moved(there)

    def _is_free(self) -> bool:
        return len(active_requests) < self._record.slots

    def _look_for_work(self) -> None:
        """Any worker of a class hears its bells: one for a job that this one fits may be lost on another."""
        if ready := anything_for(self._store.connection, self._record):
            ring_worker(self._app, self._record.name, ready)

    def _report(self, record: CampaignRecord) -> None:
        report_beside(self._store, self._settings, record)

    def stop(self) -> None:
        """Ends the thread and takes the announcement back."""
        self._ended.set()
        try:
            self._store.announce_worker(self._record, 0)
        except ServiceUnreachable as error:
            log.debug("the worker is still announced: %s", error.message)

    def _obey(self, how: Drain | None, seconds: float) -> None:
        """Ends the worker as it was asked to, and says so at once: nobody counts on it any more."""
        if how is None or self._record.draining in (how, Drain.HAND_OVER):
            return
        self._record = replace(self._record, draining=how)
        self._store.announce_worker(self._record, seconds)
        log.warning("asked to end (%s)", _TOLD[how])
        draining.end(how)

    def _bury_the_dead(self) -> None:
        """Ends attempts of this machine whose supervisor is no process any more: no lease is waited for."""
        if not (machine := machine_id()):
            return
        for job in self._store.running_on(machine):
            if not is_dead(job.owner):
                continue
            log.warning("the worker process %s of job %s has died", job.owner, job.job_id)
            with contextlib.suppress(LeaseLost, RecordGone):  # somebody was quicker
                told = Outcome(StopReason.WORKER_LOST, "its worker's process died", job.iteration)
                record = self._store.finish(job.job_id, job.token, told)
                if record.state is JobState.QUEUED and record.not_before is None:
                    ring_missing(self._app, [bell_of(record)])

    def _preempt(self) -> None:
        for asked in preempt(self._store.connection, self._settings):
            log.info("job %s is to give way to %s", asked.victim_id, asked.job_id)


def _remote_id(settings: Settings) -> str | None:
    """As a job that was claimed here has noted it: the sweeper itself asks no store."""
    return known_remote_id(settings.remote, settings.runs_root) if settings.remote else None


def _root_id(settings: Settings) -> str | None:
    try:
        return read_root_id(settings.runs_root)
    except OSError:
        return None
