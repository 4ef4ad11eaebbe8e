"""One attempt at one job: the trainer runs as a child, its lease and its reports are kept up here.

A training never stops because Redis is away: nothing is reported then, and all of it afterwards.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from srqueue.datasets.holding import hold_data
from srqueue.errors import ServiceUnreachable
from srqueue.forecast.gains import Targets
from srqueue.report.making import make_beside
from srqueue.run.atomic import write_json
from srqueue.run.folder import AttemptDir, RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.run.scores import Scores, read_scores
from srqueue.settings import Settings
from srqueue.spec.job import JobSpec
from srqueue.spec.windows import parse_windows
from srqueue.store.record import Claim, JobRecord, LeaseExpired, LeaseLost, RecordGone
from srqueue.store.store import Store
from workers.child import EXPORT_SECONDS, Trainer
from workers.devices import Device
from workers.endings import outcome_of, reason_of
from workers.forecasting import Forecaster
from workers.forgotten import free_device
from workers.handing_over import wait_for_upload
from workers.power_limit import asked_of, power_limit
from workers.preparing import NotReady, prepare
from workers.relay import Relay
from workers.restoring import tell_again
from workers.showing import Showing
from workers.spares import Spares
from workers.watchdog import Watchdog
from workers.windows import Opening, opening_of

log = logging.getLogger(__name__)

TICK = 0.1
"""Seconds between two looks at child, events and wishes."""
DRAIN_PATIENCE = 8.0
"""Seconds a worker that is shut down waits for a Redis that does not answer."""

_REQUESTS = {
    "pause": StopReason.PAUSED,
    "cancel": StopReason.CANCELLED,
    "preempt": StopReason.PREEMPTED,
    "finish": StopReason.BUDGET_SPENT,
}

Report = Callable[[JobRecord, int, Mapping[str, Any]], None]


@dataclass
class Link:
    """Whether Redis answered last, and when to renew next (monotonic seconds)."""

    up: bool = True
    renew_at: float = 0.0


class Supervisor:
    """Supervises one claim. `draining` says whether the worker is to end, `at_once` whether without a last
    checkpoint; `report` shows progress; `spares`: a trainer that stands ready; `yielding`: why the machine is
    its user's now."""

    def __init__(
        self, store: Store, settings: Settings, claim: Claim, *,
        host: str, device: Device, draining: Callable[[], bool], report: Report,
        at_once: Callable[[], bool] = lambda: False, spares: Spares | None = None,
        yielding: Callable[[], str | None] = lambda: None,
    ) -> None:  # fmt: skip
        self._store = store
        self._settings = settings
        self._claim = claim
        self._job = claim.record
        self._token = claim.token
        self._host = host
        self._device = device
        self._draining = draining
        self._at_once = at_once
        self._report = report
        self._spares = spares
        self._yielding = yielding
        self._opening: Opening | None = None  # of the job's windows, where they closed meanwhile
        self._why = ""  # it yields
        self._link = Link()
        self._locks: list[Path] = []
        self._showing: Showing | None = None
        self._lost = False  # to another worker

    def run(self) -> JobRecord | None:
        """The record after the attempt; None where the job is another's now or cannot be reported."""
        try:
            run, attempt = prepare(
                self._store, self._settings, self._claim, self._host, self._device, self._draining
            )  # fmt: skip
        except NotReady as error:
            self._token = error.token
            return self._finish(Outcome(error.reason, error.message, self._job.iteration))
        except (ServiceUnreachable, LeaseExpired) as error:
            log.warning("job %s was not begun: %s", self._job.short_id, error.message)
            told = f"its worker could not begin it: {error.message}"
            return self._finish(Outcome(StopReason.DRAINED, told, self._job.iteration))
        except LeaseLost as error:
            log.warning("job %s is left to another: %s", self._job.short_id, error.message)
            return None
        self._token = attempt.token
        noted = attempt.read()
        self._locks = [Path(lock) for lock in (noted["device_lock"], *noted["more_locks"]) if lock]
        forecaster = self._forecaster(run, noted.get("targets"))
        memory = self._device.memory // self._device.slots
        relay = Relay(self._store, self._claim, attempt, forecaster, memory)
        self._showing = Showing(self._store, self._job.id, run, attempt)
        watts, devices = asked_of(self._job.spec)
        cards = self._device.cards_for(self._job.device_class, devices)
        limited = power_limit(cards, watts, self._device.slots)
        with hold_data(self._settings, noted), limited as notes:
            if notes:
                write_json(attempt.attempt_file, {**noted, "notes": notes})
            outcome = self._supervise(run, attempt, relay)
        if outcome.reason is StopReason.LEASE_LOST:
            return None
        wait_for_upload(run, self._token, outcome, self._settings, lambda: self._keep_lease(run))
        record = self._finish(outcome, relay, run)
        if not self._lost:
            self._leave_behind(attempt, outcome, record)
        if record is not None and record.state.final and self._settings.report:
            make_beside(run, record)
        return record

    def _forecaster(self, run: RunDir, targets: Targets | None) -> Forecaster | None:
        try:
            spec = JobSpec.model_validate(self._job.spec)
        except ValueError as error:  # of another version; the trainer will say what it thinks of it
            log.debug("job %s gets no forecasts: %s", self._job.short_id, error)
            return None
        windows = parse_windows(self._settings.window) if self._settings.window else ()
        return Forecaster(spec, run, self._token, self._job.until, windows, targets)

    def _leave_behind(self, attempt: AttemptDir, outcome: Outcome, record: JobRecord | None) -> None:
        """The outcome of a trainer that could not write one: what `srqueue recover` goes by."""
        if attempt.outcome_file.exists():
            return
        if record is not None and record.reason is not None:
            outcome = replace(outcome, reason=record.reason, message=record.message or outcome.message)
        try:
            outcome.write(attempt.outcome_file)
        except OSError as error:
            log.warning("job %s: its outcome is not in its folder: %s", self._job.short_id, error)

    def _supervise(self, run: RunDir, attempt: AttemptDir, relay: Relay) -> Outcome:
        """Runs the trainer to its end; however this is left, the trainer has ended."""
        trainer = None
        try:
            noted = attempt.read()
            trainer = Trainer.start(run, attempt, self._spares)
            watchdog = Watchdog(attempt.beat_file, self._settings.hang)
            # So that a later attempt on this host can end it, should this process be gone by then.
            write_json(attempt.attempt_file, {**noted, "trainer": trainer.identity})
            if self._job.wish == "cancel":  # all that is left to do
                trainer.request_stop(StopReason.CANCELLED, EXPORT_SECONDS)
            if self._job.wish == "finish":
                trainer.request_stop(StopReason.BUDGET_SPENT, EXPORT_SECONDS)
            status = self._watch(trainer, relay, run, watchdog)
        except OSError as error:
            told = f"cannot go on in {run.path}: {error.strerror or error}"
            log.error("job %s: %s", self._job.short_id, told)
            return Outcome(reason_of(error, run), told, relay.iteration)
        finally:
            if trainer is not None:
                trainer.kill()
        if trainer.stop is StopReason.LEASE_LOST:
            return Outcome(StopReason.LEASE_LOST, "", relay.iteration)
        outcome = outcome_of(attempt, trainer, status, relay.iteration)
        if outcome.reason is StopReason.BUDGET_SPENT and outcome.export is None:
            # Asked to end before it had anything: its campaign sees to it.
            return replace(outcome, reason=StopReason.DRAINED, message="ended before it had a model to leave")
        if outcome.reason is StopReason.YIELDED:
            return replace(outcome, message=f"{outcome.message}: {self._why}")
        return outcome

    def _watch(self, trainer: Trainer, relay: Relay, run: RunDir, watchdog: Watchdog) -> int:
        while (status := trainer.poll()) is None:
            if watchdog.hung():
                trainer.end_hung(watchdog.silent)
            self._mind_the_user(trainer)
            if self._draining():
                trainer.request_stop(StopReason.DRAINED)
            if self._at_once():
                trainer.force()
            if trainer.stop is not StopReason.LEASE_LOST:
                self._exchange(trainer, relay, run)
            time.sleep(TICK)
        return status

    def _mind_the_user(self, trainer: Trainer) -> None:
        """Has the job saved and handed back where its windows close, or the machine is its user's."""
        if self._why or trainer.stop is not None:
            return
        if opening := opening_of(self._job):
            self._opening, self._why = opening, opening.text
        else:
            self._why = self._yielding() or ""
        if self._why:
            trainer.request_stop(StopReason.YIELDED)

    def _exchange(self, trainer: Trainer, relay: Relay, run: RunDir) -> None:
        """Renews the lease when due, reads the wish, relays what is new. Never raises for Redis."""
        try:
            if time.monotonic() >= self._link.renew_at:
                wish = self._renew(run)
                self._answered()
                # Who holds the device may have lost its job only since this trainer waits for it.
                for lock in self._locks:
                    free_device(lock, self._store, trainer.pid)
                if wish in _REQUESTS:
                    trainer.request_stop(_REQUESTS[wish])
            if self._link.up:
                self._relay(relay)
                self._show()
        except LeaseLost as error:
            log.warning("job %s: %s; its trainer is stopped", self._job.short_id, error.message)
            trainer.request_stop(StopReason.LEASE_LOST)
        except ServiceUnreachable as error:
            self._unanswered(error)

    def _renew(self, run: RunDir | None) -> str | None:
        """The wish. A Redis that has lost the job, or what came after an earlier attempt, is told of it."""
        own = (self._job.id, self._token, self._settings.lease, self._job.claimed)
        try:
            return self._store.renew(*own)
        except RecordGone:
            tell_again(self._store, self._job, self._token, run)
            return self._store.renew(*own)

    def _relay(self, relay: Relay) -> None:
        try:
            if relay.forward():
                self._report(self._job, relay.iteration, relay.progress)
        except (LeaseLost, RecordGone):
            # The renewal decides: it can take back a lease that only ran out, and a record that was lost.
            self._link.renew_at = 0.0
        except OSError as error:  # the folder is out of reach for a moment; the trainer knows better
            log.debug("job %s: its events cannot be read: %s", self._job.short_id, error)

    def _show(self, at_end: bool = False) -> None:
        if self._showing is not None:
            self._showing.send(at_end)

    def _keep_lease(self, run: RunDir) -> bool:
        """Renews it when due; False where that fails."""
        try:
            if time.monotonic() >= self._link.renew_at:
                self._renew(run)
                self._answered()
        except (ServiceUnreachable, LeaseLost):
            return False
        return True

    def _finish(
        self, outcome: Outcome, relay: Relay | None = None, run: RunDir | None = None
    ) -> JobRecord | None:
        """Reports the end, however long Redis is away: the outcome is also in the run folder."""
        since, told = time.monotonic(), False
        while True:
            try:
                if not told:
                    self._renew(run)
                    self._answered()
                    self._tell_the_rest(relay, run)
                # From here on the attempt may have ended though no answer came: then only `finish` knows it.
                told = True
                if self._opening and outcome.reason is StopReason.YIELDED:
                    return self._store.finish(self._job.id, self._token, outcome, opens=self._opening.at)
                return self._store.finish(self._job.id, self._token, outcome)
            except LeaseExpired:
                continue  # a renewal takes it back
            except LeaseLost:
                self._lost = True
                return None
            except RecordGone as error:
                told = False
                self._unanswered(error)
            except ServiceUnreachable as error:
                self._unanswered(error)
            if self._draining() and time.monotonic() - since > DRAIN_PATIENCE:
                log.error("job %s ends unreported: its lease will run out", self._job.short_id)
                return None
            time.sleep(min(self._settings.renew, 1.0))

    def _tell_the_rest(self, relay: Relay | None, run: RunDir | None) -> None:
        """Events, and the newest checkpoint: a trainer that was killed may not have told of it."""
        if relay is None or run is None:
            return
        try:
            while relay.forward():
                if time.monotonic() >= self._link.renew_at:  # there may be many
                    self._store.renew(self._job.id, self._token, self._settings.lease)
                    self._answered()
            own = [name for name in run.checkpoint_names() if name.token == self._token]
        except OSError as error:
            log.warning("job %s: its last events cannot be read: %s", self._job.short_id, error)
            return
        if own:
            self._store.publish(self._job.id, self._token, own[-1].seq, own[-1].iteration)
        if (run.export / "metrics.json").is_file():  # where it has none, those of an earlier export are void
            self._store.put_scores(self._job.id, self._token, read_scores(run) or Scores())
        self._show(at_end=True)

    def _answered(self) -> None:
        if not self._link.up:
            log.warning("Redis answers again; job %s has gone on meanwhile", self._job.short_id)
        self._link = Link(up=True, renew_at=time.monotonic() + self._settings.renew)

    def _unanswered(self, error: ServiceUnreachable) -> None:
        if self._link.up:
            log.warning("%s; the training of job %s goes on", error.message, self._job.short_id)
        self._link = Link(up=False, renew_at=time.monotonic() + self._settings.renew)
