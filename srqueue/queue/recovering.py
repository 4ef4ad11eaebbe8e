"""Records that Redis has lost, rebuilt from the run folders of this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from celery import Celery
from ulid import ULID

from srqueue.errors import ServiceUnreachable, SrqueueError, UsageError
from srqueue.forecast.kept import newest_of
from srqueue.queue.app import make_app
from srqueue.queue.doorbell import bell_of, ring
from srqueue.remote.fetching import fetch
from srqueue.remote.folder import RemoteFolder, RemoteUnreachable
from srqueue.remote.layout import JOBS, JobNames
from srqueue.remote.root import remote_root_id
from srqueue.run.card import JobCard
from srqueue.run.events import read_events
from srqueue.run.folder import AttemptDir, CheckpointName, RunDir, read_root_id
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import CONSEQUENCES, JobState, Requeue
from srqueue.run.shown import show
from srqueue.run.spent import Spent, spent
from srqueue.settings import Settings
from srqueue.spec.job import JobSpec, spec_id
from srqueue.spec.validate import validate
from srqueue.store.record import JobRecord
from srqueue.store.store import Store

How = Literal["recovered", "known", "removed", "by hand", "unreadable"]


@dataclass(frozen=True)
class Recovered:
    """What became of one run folder.

    `removed`: the job was removed and its files were kept; `by hand`: `srqueue train` made it, it is no job.
    """

    path: Path
    how: How
    job: JobRecord | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Found:
    """A job as its run folder tells it."""

    record: JobRecord
    newest: CheckpointName | None
    front: bool
    told: int
    """Up to which byte the newest attempt's events went."""
    took: Spent
    """What its attempts have taken; where the newest runs, its kWh are in the progress."""


@dataclass(frozen=True)
class There:
    """The jobs of the remote folder, which may be further there than in a run folder of this machine."""

    remote: RemoteFolder
    root_id: str
    jobs: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> There:
        """Raises ServiceUnreachable, UsageError."""
        root_id = remote_root_id(settings.remote, settings.runs_root)
        remote = RemoteFolder.open(settings.remote)
        return cls(remote, root_id, frozenset(filter(_is_job_id, remote.folders(JOBS))))

    def is_removed(self, job_id: str) -> bool:
        """Whether it was removed from the queue and its files were kept."""
        return self.remote.size(JobNames(job_id).removed) is not None

    def read(self, run: RunDir) -> Found | None:
        """A job as both folders tell it: events and outcomes come here, checkpoints to who goes on."""
        there = fetch(self.remote, run, checkpoints=False).there
        found = read_run(run, self.root_id, there.checkpoints)
        if found is None or there.newest is None:
            return found
        newest = there.newest
        record = replace(found.record, remote_seq=newest.seq, remote_iteration=newest.iteration)
        return replace(found, record=record)


def recover(
    settings: Settings, runs_root: Path, *, alone: bool = False, dry_run: bool = False
) -> Iterator[Recovered]:
    """Adds a record for every run folder that has none; what Redis knows stays as it is.

    Where this machine has a remote folder, a job that is there, too, comes back as `recover_remote` has it:
    it may be further there, and go on anywhere. So the order of the two does not matter. `alone`: the remote
    folder is not asked. A job that was queued and never begun has no folder, and is lost.
    Raises ServiceUnreachable, UsageError.
    """
    if runs_root == settings.runs_root and not runs_root.exists():
        return  # no job was ever begun here
    if not runs_root.is_dir():
        raise UsageError(f"there is no folder {runs_root}", where="--runs", hint="name the runs root")
    store, app = Store.connect(settings), make_app(settings)
    there = _also_there(settings) if settings.remote and not alone else None
    root_id = "" if dry_run else read_root_id(runs_root)
    for path in sorted(p for p in runs_root.iterdir() if p.is_dir() and _is_job_id(p.name)):
        yield _recovered(store, app, RunDir(path.absolute()), root_id, there, dry_run)


def recover_remote(settings: Settings, *, dry_run: bool = False) -> Iterator[Recovered]:
    """The same from the remote folder: for jobs whose machines are gone.

    Their events and outcomes come to this machine's runs root, a checkpoint only to the worker that goes on.
    Raises ServiceUnreachable, UsageError.
    """
    if not settings.remote:
        raise UsageError(
            "this machine has no remote folder", where="SRQUEUE_REMOTE", hint="s3://bucket/prefix"
        )
    store, app, there = Store.connect(settings), make_app(settings), There.of(settings)
    for job_id in sorted(there.jobs):
        one = _recovered(store, app, RunDir(settings.runs_root / job_id), there.root_id, there, dry_run)
        if one.how != "by hand":
            yield one


def _also_there(settings: Settings) -> There:
    try:
        return There.of(settings)
    except RemoteUnreachable as error:
        hint = f"jobs may be further there; without it: srqueue recover --runs {settings.runs_root}"
        raise RemoteUnreachable(error.message, where=error.where, hint=hint) from None


def _recovered(
    store: Store, app: Celery, run: RunDir, root_id: str, there: There | None, dry_run: bool
) -> Recovered:
    if job := _known(store, run.job_id):
        return Recovered(run.path, "known", job)
    elsewhere = there if there is not None and run.job_id in there.jobs else None
    if run.removed_file.exists() or (elsewhere and elsewhere.is_removed(run.job_id)):
        return Recovered(run.path, "removed")
    try:
        found = elsewhere.read(run) if elsewhere else read_run(run, root_id)
    except ServiceUnreachable:
        raise
    except (SrqueueError, OSError, ValueError, TypeError, KeyError) as error:
        return Recovered(run.path, "unreadable", problem=str(error).splitlines()[0])
    if found is None:
        return Recovered(run.path, "by hand")
    if dry_run:
        return Recovered(run.path, "recovered", found.record)
    if not run.brought_file.exists():
        # Its spec lies in a folder that only a worker writes to, which had looked at its signature. One that
        # came from a remote folder, where others may write, keeps the signature that it came with, if any.
        signature = store.keyring.sign_job(found.record) or found.record.signature
        found = replace(found, record=replace(found.record, signature=signature))
    return _restored(store, app, run, found)


def _restored(store: Store, app: Celery, run: RunDir, found: Found) -> Recovered:
    how = store.restore(found.record, found.newest, front=found.front, told=found.told, took=found.took)
    if how == "made":
        store.append_history(run.job_id, (event.line() for event in run.events()))
    job = store.get(run.job_id)
    if job.state is JobState.QUEUED:
        ring(app, bell_of(job))
    return Recovered(run.path, "recovered" if how == "made" else "known", job)


def read_run(run: RunDir, root_id: str, elsewhere: Sequence[CheckpointName] = ()) -> Found | None:
    """A job as its folder tells it; None where it was trained by hand. `elsewhere`: checkpoints that it has
    beside those that are here.

    A job without an outcome is running: a live supervisor goes on and keeps it; a dead one's lease runs out.
    Raises SrqueueError, OSError, ValueError, TypeError or KeyError where the folder is not whole.
    """
    raw = json.loads(run.spec_file.read_text())
    spec, card = validate(raw, str(run.spec_file)), JobCard.read(run.card_file)
    attempts = run.attempts()
    names = sorted({*run.checkpoint_names(), *elsewhere}, key=lambda name: name.order)
    if card is None:  # of an older version, which noted the trainers of its attempts
        if not any("trainer" in attempt.read() for attempt in attempts):
            return None
        card = _card_of(run, spec)
    elif card.id != run.job_id:
        raise ValueError(f"job.json is of job {card.id}")
    outcome = Outcome.read(attempts[-1].outcome_file) if attempts else None
    state, front = _state(attempts, outcome)
    told = _whole_bytes(attempts[-1]) if attempts else 0
    progress, iteration = _progress(run)
    if state is not JobState.RUNNING:
        iteration = names[-1].iteration if names else 0
    if state is JobState.SUCCEEDED and outcome:
        iteration = outcome.iteration
    noted = attempts[-1].read() if attempts else {}
    is_its_own = outcome is None or not run.brought_file.exists()  # else another machine's, brought here
    took = spent(attempts)
    if state is JobState.RUNNING:
        took = replace(took, kwh=spent(attempts[:-1]).kwh)
    record = JobRecord(
        id=run.job_id, name=card.name, state=state, spec=raw, origins=dict(card.origins),
        spec_id=card.spec_id, priority=card.priority, device_class=card.device_class, created=card.created,
        updated=card.created, started=_begun(attempts[0]) if attempts else None,
        finished=attempts[-1].outcome_file.stat().st_mtime if state.final else None,
        token=run.highest_token(), owner=None if outcome else noted.get("owner"),
        host=noted.get("host") if is_its_own else None, iteration=iteration,
        total_iter=spec.train.total_iter, progress=progress, attempts=len(attempts),
        reason=outcome.reason if outcome else None,
        campaigns=tuple(card.campaigns), maker=card.maker or None, rungs=tuple(card.rungs),
        until=None if state.final else _rung(card, attempts), signature=card.signature or None,
        user=card.user or None, share=card.share or None, gpu_memory=card.gpu_memory or None,
        peak=card.peak or None, needs=card.needs or None,
        message=(outcome.message or CONSEQUENCES[outcome.reason].text) if outcome else None,
        root_id=root_id, run_dir=str(run.path), metrics=outcome.metrics if outcome else {},
    )  # fmt: skip
    return Found(record, names[-1] if names else None, front, told, took)


def _state(attempts: list[AttemptDir], outcome: Outcome | None) -> tuple[JobState, bool]:
    """By the table of StopReasons; and whether it goes to the front of its priority."""
    if outcome is None:
        return (JobState.RUNNING if attempts else JobState.QUEUED), False
    row = CONSEQUENCES[outcome.reason]
    return row.next_state, row.requeue is Requeue.FRONT


def _rung(card: JobCard, attempts: list[AttemptDir]) -> int | None:
    """Up to which its newest attempt may train; the first before any."""
    if attempts:
        told = attempts[-1].read().get("until")
        return told if isinstance(told, int) else None
    return card.rungs[0] if card.rungs else None


def _progress(run: RunDir) -> tuple[dict[str, Any], int]:
    """Progress and iteration by the newest events."""
    progress: dict[str, Any] = {}
    iteration = 0
    for event in run.events():
        show(progress, event)
        if event.kind != "checkpoint":  # it may tell of an earlier one, written meanwhile
            iteration = event.it
    if told := newest_of(run):
        progress["forecast"] = told
    return progress, iteration


def _begun(attempt: AttemptDir) -> float:
    """When an attempt began: by its first event, for its folder changes until its outcome is there."""
    first = next(read_events(attempt.events_file), None)
    return first[0].t if first else attempt.path.stat().st_mtime


def _whole_bytes(attempt: AttemptDir) -> int:
    """Up to the end of the last whole line."""
    return max((offset for _, offset in read_events(attempt.events_file)), default=0)


def _card_of(run: RunDir, spec: JobSpec) -> JobCard:
    """What can be known without job.json; the priority is the usual one."""
    device = spec.compute.device
    return JobCard(
        id=run.job_id, name=spec.name, priority=5, device_class="any" if device == "auto" else device,
        origins={}, created=ULID.from_str(run.job_id).timestamp, spec_id=spec_id(spec),
    )  # fmt: skip


def _known(store: Store, job_id: str) -> JobRecord | None:
    try:
        return store.get(job_id)
    except UsageError:
        return None


def _is_job_id(name: str) -> bool:
    try:
        return str(ULID.from_str(name)) == name
    except ValueError:
        return False
