"""One attempt at one job: the trainer runs as a child, its lease and its reports are kept up here.

A training never stops because Redis is away: nothing is reported then, and all of it afterwards.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from srqueue.errors import ServiceUnreachable
from srqueue.run.atomic import write_json
from srqueue.run.folder import AttemptDir, RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.settings import Settings
from srqueue.store.record import Claim, JobRecord, LeaseLost, RecordGone
from srqueue.store.store import Store
from workers.child import Trainer, how_it_ended, last_lines
from workers.devices import Device
from workers.preparing import NotReady, prepare
from workers.relay import Relay

log = logging.getLogger(__name__)

TICK = 0.1
"""Seconds between two looks at child, events and wishes."""
DRAIN_PATIENCE = 8.0
"""Seconds a worker that is shut down waits for a Redis that does not answer."""

_REQUESTS = {"pause": StopReason.PAUSED, "cancel": StopReason.CANCELLED}

Report = Callable[[JobRecord, int, Mapping[str, Any]], None]


@dataclass
class Link:
    """Whether Redis answered last, and when to renew next (monotonic seconds)."""

    up: bool = True
    renew_at: float = 0.0


class Supervisor:
    """Supervises one claim. `draining` says whether the worker is to end; `report` shows progress."""

    def __init__(
        self, store: Store, settings: Settings, claim: Claim, *,
        host: str, device: Device, draining: Callable[[], bool], report: Report,
    ) -> None:  # fmt: skip
        self._store = store
        self._settings = settings
        self._claim = claim
        self._job = claim.record
        self._token = claim.token
        self._host = host
        self._device = device
        self._draining = draining
        self._report = report
        self._link = Link()

    def run(self) -> JobRecord | None:
        """The record after the attempt; None where the job is another's now or cannot be reported."""
        try:
            run, attempt = prepare(self._store, self._settings, self._claim, self._host, self._device)
        except NotReady as error:
            return self._finish(Outcome(error.reason, error.message, self._job.iteration))
        except LeaseLost:
            return None
        self._token = attempt.token
        relay = Relay(self._store, self._claim, attempt)
        trainer = self._start(run, attempt)
        try:
            status = self._watch(trainer, relay)
        finally:
            trainer.kill()
        if trainer.stop is StopReason.LEASE_LOST:
            return None
        return self._finish(outcome_of(attempt, status, trainer.stop, relay.iteration), relay)

    def _start(self, run: RunDir, attempt: AttemptDir) -> Trainer:
        noted = attempt.read()
        trainer = Trainer.start(run, attempt, self._device.threads(self._settings, noted["device"]))
        # So that a later attempt on this host can end it, should this process be gone by then.
        write_json(attempt.attempt_file, {**noted, "trainer": trainer.identity})
        return trainer

    def _watch(self, trainer: Trainer, relay: Relay) -> int:
        while (status := trainer.poll()) is None:
            if self._draining():
                trainer.request_stop(StopReason.DRAINED)
            if trainer.stop is not StopReason.LEASE_LOST:
                self._exchange(trainer, relay)
            time.sleep(TICK)
        return status

    def _exchange(self, trainer: Trainer, relay: Relay) -> None:
        """Renews the lease when due, reads the wish, relays what is new. Never raises for Redis."""
        try:
            if time.monotonic() >= self._link.renew_at:
                wish = self._store.renew(self._job.id, self._token, self._settings.lease)
                self._answered()
                if wish in _REQUESTS:
                    trainer.request_stop(_REQUESTS[wish])
            if self._link.up:
                self._relay(relay)
        except LeaseLost as error:
            log.warning("job %s: %s; its trainer is stopped", self._job.short_id, error.message)
            trainer.request_stop(StopReason.LEASE_LOST)
        except ServiceUnreachable as error:
            self._unanswered(error)

    def _relay(self, relay: Relay) -> None:
        try:
            if relay.forward():
                self._report(self._job, relay.iteration, relay.progress)
        except LeaseLost:
            self._link.renew_at = 0.0  # the renewal decides: it can take back a lease that only ran out

    def _finish(self, outcome: Outcome, relay: Relay | None = None) -> JobRecord | None:
        """Reports the end, however long Redis is away: the outcome is also in the run folder."""
        since = time.monotonic()
        while True:
            try:
                self._store.renew(self._job.id, self._token, self._settings.lease)
                while relay is not None and relay.forward():
                    pass
                return self._store.finish(self._job.id, self._token, outcome)
            except LeaseLost:
                return None
            except RecordGone as error:
                log.error("%s; its result is in %s", error.message, self._job.run_dir)
                return None
            except ServiceUnreachable as error:
                self._unanswered(error)
            if self._draining() and time.monotonic() - since > DRAIN_PATIENCE:
                log.error("job %s ends unreported: its lease will run out", self._job.short_id)
                return None
            time.sleep(min(self._settings.renew, 1.0))

    def _answered(self) -> None:
        if not self._link.up:
            log.warning("Redis answers again; job %s has gone on meanwhile", self._job.short_id)
        self._link = Link(up=True, renew_at=time.monotonic() + self._settings.renew)

    def _unanswered(self, error: ServiceUnreachable) -> None:
        if self._link.up:
            log.warning("%s; the training of job %s goes on", error.message, self._job.short_id)
        self._link = Link(up=False, renew_at=time.monotonic() + self._settings.renew)


def outcome_of(attempt: AttemptDir, status: int, asked: StopReason | None, iteration: int) -> Outcome:
    """What the trainer said; else what was asked of it; else a crash, with its last lines."""
    outcome = Outcome.read(attempt.outcome_file)
    if outcome is not None:
        return outcome
    if asked is not None:
        return Outcome(asked, f"{how_it_ended(status)} before it could save", iteration)
    lines = last_lines(attempt.log_file)
    message = how_it_ended(status) + (f"; its last lines:\n{lines}" if lines else "")
    return Outcome(StopReason.CRASHED, message, iteration)
