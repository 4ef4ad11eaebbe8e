"""Client: what a user can do with jobs, from Python and from the command line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from celery import Celery

from srqueue.datasets import Registry
from srqueue.errors import UsageError
from srqueue.queue.app import make_app
from srqueue.queue.doorbell import bell_of, ring, ring_for_many
from srqueue.queue.placing import Config, Submitter, device_class, new_jobs
from srqueue.queue.steering import wake
from srqueue.queue.stops import Settling
from srqueue.queue.successors import extended, upgraded
from srqueue.queue.waiting import why_it_waits
from srqueue.run.events import Event
from srqueue.run.reasons import JobState
from srqueue.settings import Settings, load_settings
from srqueue.spec.expand import Expanded
from srqueue.spec.needs import NeedsSpec, needs_text
from srqueue.store.patience import OUTAGE, patiently
from srqueue.store.record import Bell, JobRecord
from srqueue.store.store import Store

_LOOK = 0.3  # seconds between two looks at a job that is waited for
_FOLLOW_MS = 500


@dataclass(frozen=True)
class Submitted:
    """A job, and whether this submit made it; `differs`: how one that was there differs, in words."""

    job: JobRecord
    new: bool
    differs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Placed:
    """Id of a job of a campaign, and whether this submit made it."""

    job_id: str
    new: bool


class Client:
    """The verbs of a user. `ref` is an id, the end of one (four characters or more), or a job's name.

    Raises ServiceUnreachable where Redis does not answer, UsageError for a verb that does not fit the job's
    state.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()

    @cached_property
    def store(self) -> Store:
        """The records; connects when first used."""
        return Store.connect(self.settings)

    @cached_property
    def app(self) -> Celery:
        """The Celery app that carries doorbells."""
        return make_app(self.settings)

    @property
    def _settling(self) -> Settling:
        return Settling(self.settings, self.store)

    def submit(
        self, config: Config, *, priority: int = 5, again: bool = False, campaign: str = ""
    ) -> Submitted:
        """Queues a training. The same spec is not queued twice, unless `again`.

        Where this machine knows the data sets and files that it names, the job gets their content as well.
        Raises DataError where it knows that validation would be on pictures that are trained on, SpecError
        where pairs are of another scale, or a path leads to something else than it should.
        """
        whose = Submitter.of(self.settings, campaign)
        jobs = new_jobs(Registry(self.settings), [config], priority, self._settling, whose)
        ((job_id, new),) = self.store.create_many(jobs, again=again, campaign=campaign)
        job = self.store.get(job_id)
        if new:
            wake(self.app, self.store, job)
            return Submitted(job, new)
        told = differences(job, jobs[0].spec)
        if job.wants != jobs[0].needs:
            told += (
                f"what it needs stays as it is: {needs_text(job.wants) or 'nothing'} (srqueue needs JOB)",
            )
        return Submitted(job, new, told)

    def submit_many(
        self, configs: Iterable[Config], *, campaign: str, priority: int = 5
    ) -> tuple[Placed, ...]:
        """Queues many trainings as one campaign, in order. Where one raises what `submit` does, none is.

        Called again it queues what is new or was changed: a spec that the campaign has is not queued once
        more, whatever became of it, and another job of that spec that did not fail joins. After
        ServiceUnreachable, call it again.
        """
        whose = Submitter.of(self.settings, campaign)
        jobs = new_jobs(Registry(self.settings), configs, priority, self._settling, whose)
        made = self.store.create_many(jobs, campaign=campaign)
        bells = [Bell(job.id, job.device_class) for job, (_, new) in zip(jobs, made, strict=True) if new]
        ring_for_many(self.app, bells, self.store.workers())
        return tuple(Placed(job_id, new) for job_id, new in made)

    def upgrade(
        self,
        ref: str,
        preset: str = "fidelity",
        *,
        overrides: Sequence[tuple[str, Mapping[str, Any]]] = (),
        name: str | None = None,
    ) -> Expanded:
        """A spec for `submit`: `preset` on a finished job's data set and network, from its exported weights.

        `overrides`: (origin, partial spec), later ones win.
        """
        registry = Registry(self.settings)
        return upgraded(self._trusted(ref), registry, preset=preset, overrides=overrides, name=name)

    def extend(self, ref: str, iterations: int, *, name: str | None = None) -> Expanded:
        """A spec for `submit`: an ended job's training goes on for `iterations` more."""
        return extended(self._trusted(ref), iterations, name=name)

    def get(self, ref: str) -> JobRecord:
        """The record as it stands."""
        return self.store.get(self.store.resolve(ref))

    def list(
        self, states: Iterable[JobState | str] | None = None, limit: int = 50, offset: int = 0, *,
        campaign: str | None = None, since: float | None = None, until: float | None = None,
    ) -> tuple[JobRecord, ...]:  # fmt: skip
        """Records, newest first; see `Reader.list`."""
        return self.store.list(states, limit, offset, campaign=campaign, since=since, until=until)

    def pause(self, ref: str) -> JobRecord:
        """Pauses: a running job at its next iteration, with a checkpoint."""
        return self.store.ask(self.store.resolve(ref), "pause")

    def cancel(self, ref: str) -> JobRecord:
        """Ends it: a running job at its next iteration; its best weights are exported.

        A job with a checkpoint that does not run comes back queued, with the wish `cancel` and a message
        that says so: a worker exports its best weights. Cancelled once more it ends at once, without.
        """
        job = self.store.ask(self.store.resolve(ref), "cancel")
        if job.state is JobState.QUEUED:
            ring(self.app, bell_of(job))
        return job

    def resume(self, ref: str) -> JobRecord:
        """A paused or held job goes on from its newest checkpoint; a waiting one starts now."""
        return self._to_queue(self.store.resume, ref)

    def retry(self, ref: str) -> JobRecord:
        """A failed or cancelled job goes on from its newest checkpoint; a waiting one starts now."""
        return self._to_queue(self.store.retry, ref)

    def set_priority(self, ref: str, priority: int) -> JobRecord:
        """0 to 9, 9 first."""
        return self.store.set_priority(self.store.resolve(ref), priority)

    def set_needs(self, ref: str, needs: NeedsSpec, *, measured: bool = True) -> JobRecord:
        """From now on the job's worker must have this, and with `measured` the memory that it was measured to
        need; a running job goes on where it is. Raises UsageError where the job is for a CPU and needs a GPU.
        """
        job = self.store.get(self.store.resolve(ref))
        device = (job.spec.get("compute") or {}).get("device", "auto")
        if device == "cpu" and needs.wants_gpu:
            raise UsageError(f"job {job.short_id} is for a CPU (compute.device), and this asks for a GPU")
        job = self.store.set_needs(job.id, needs, device_class(device, needs), measured=measured)
        if job.state is JobState.QUEUED:
            wake(self.app, self.store, job)
        return job

    def remove(self, ref: str) -> JobRecord:
        """Forgets a job that does not run; its run folder stays. Returns the record as it was."""
        return self.store.remove(self.store.resolve(ref))

    def why_waiting(self, record: JobRecord) -> str | None:
        """What a queued or held job waits for, in words; None for a job in another state."""
        return why_it_waits(self.store, record)

    def wait(self, ref: str, timeout: float | None = None) -> JobRecord:
        """The record once nothing more happens by itself (ended, or paused), or after `timeout` seconds.

        A Redis that is away for less than ten minutes is waited for; then ServiceUnreachable.
        """
        job_id = self.store.resolve(ref)
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = OUTAGE if deadline is None else deadline - time.monotonic()
            job = patiently(lambda: self.store.get(job_id), left, OUTAGE)
            if job.rests:
                return job
            if deadline is not None and time.monotonic() >= deadline:
                return job
            time.sleep(_LOOK)

    def events(self, ref: str, *, follow: bool = False) -> Iterator[Event]:
        """The job's events, oldest first; with `follow` also the coming ones, until it ended or paused."""
        job_id = self.store.resolve(ref)
        after = "0-0"
        while True:
            # The state is read before the stream: what an ending job wrote last is then still seen.
            rests = self.store.get(job_id).rests
            lines = self.store.events(job_id, after, _FOLLOW_MS if follow else None)
            for position, line in lines:
                after = position
                yield Event.parse(line)
            if (rests or not follow) and not lines:
                return

    def _trusted(self, ref: str) -> JobRecord:
        """The record that another one is made from, which is signed here: so must it be itself."""
        job = self.get(ref)
        if why := self.store.keyring.wrong_with_job(job, job.signature):
            raise UsageError(
                f"job {job.short_id} ({job.name}) is not to be built upon: {why}",
                hint=f"look at it (srqueue show {job.short_id}); where it is yours: "
                f"srqueue signing sign {job.short_id}",
            )
        return job

    def sign(self, ref: str) -> JobRecord:
        """Signs a job as it stands. Whoever does has looked at it. Raises UsageError without a key."""
        return self.store.sign(self.store.resolve(ref))

    def _to_queue(self, verb: Callable[[str], JobRecord], ref: str) -> JobRecord:
        job = verb(self.store.resolve(ref))
        if job.state is JobState.QUEUED:
            wake(self.app, self.store, job)
        return job


def differences(job: JobRecord, asked: Mapping[str, Any]) -> tuple[str, ...]:
    """What of that which does not make another training was asked for otherwise."""
    found = []
    for section, what in (("stop", "stop rules"), ("window", "windows")):
        own, wanted = job.spec.get(section) or (), asked.get(section) or ()
        if list(own) != list(wanted):
            found.append(f"its {what} stay as they are: {', '.join(own) or 'none'}")
    return tuple(found)


def submit(config: Config, **how: Any) -> JobRecord:
    """Queues a training with the settings of the environment; see Client.submit."""
    return Client().submit(config, **how).job
