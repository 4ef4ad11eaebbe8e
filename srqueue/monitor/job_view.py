"""All that the page of one job shows, beside its curves and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from srqueue.monitor.backend import run_folder
from srqueue.monitor.cards import by_name, card
from srqueue.queue.explaining import explain
from srqueue.queue.facts import facts_of
from srqueue.queue.starts import start_forecasts
from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState
from srqueue.spec.layers import origin_of
from srqueue.store.record import JobRecord, worker_of
from srqueue.store.store import Store

LOG_LINES = 200
_LOG_BYTES = 64_000

_WAITING = (JobState.HELD, JobState.QUEUED)
_ALIVE = (*_WAITING, JobState.RUNNING, JobState.PAUSED)
_POSSIBLE: dict[str, tuple[JobState, ...]] = {
    "pause": (*_WAITING, JobState.RUNNING),
    "resume": (JobState.PAUSED, JobState.HELD),
    "cancel": _ALIVE,
    "retry": (JobState.FAILED, JobState.CANCELLED),
    "upgrade": (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED),
    "extend": (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED),
    "priority": _ALIVE,
}
ACTS = tuple(_POSSIBLE)


def job_view(store: Store, record: JobRecord) -> dict[str, Any]:
    """Card, spec with origins, attempts, explanation and the acts that fit now."""
    facts = facts_of(store, record.id)
    told, job = explain(facts), facts.job
    starts = start_forecasts(store, [job], facts.workers, {job.id: facts.ahead}).get(job.id)
    left = facts.moments.lease_left if job.state is JobState.RUNNING else None
    return {
        "job": card(job, by_name(facts.workers), waits=facts.waits, starts_in_s=starts, lease_left_s=left),
        "spec": list(spec_rows(job)),
        "attempts": [
            {
                "token": a.token, "worker": worker_of(a.worker), "begun": a.begun, "ended": a.ended,
                "from_iteration": a.from_iteration, "iteration": a.iteration,
                "reason": str(a.reason) if a.reason else None, "message": a.message,
            }
            for a in facts.attempts
        ],
        "explain": [*told.why, f"next: {told.next}"],
        "acts": acts_now(job),
    }  # fmt: skip


def acts_now(job: JobRecord) -> list[str]:
    """The acts that fit the job as it stands; what needs its run folder only where that is here."""
    found = [act for act, states in _POSSIBLE.items() if job.state in states]
    if job.state is JobState.QUEUED and job.not_before is not None:
        found.append("resume")
    if job.wish == "pause":
        found.append("resume")
    missing = {"upgrade", "extend"} if run_folder(job) is None else set()
    if job.wish == "cancel":
        missing |= {"pause", "resume"}
    return [act for act in found if act not in missing]


def spec_rows(record: JobRecord) -> Iterator[tuple[str, Any, str]]:
    """(dotted key, value, where it came from) of every value of the spec."""
    for key, value in flat(record.spec):
        yield key, value, origin_of(record.origins, key)


def flat(node: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, Any]]:
    """Values by dotted key; lists stay whole."""
    for key, value in node.items():
        path = f"{under}.{key}" if under else str(key)
        if isinstance(value, Mapping) and value:
            yield from flat(value, path)
        else:
            yield path, value


def differing(one: JobRecord, other: JobRecord) -> list[tuple[str, Any, Any]]:
    """(key, value, other value) where two specs differ; None where one has no such key."""
    ours, theirs = dict(flat(one.spec)), dict(flat(other.spec))
    keys = dict.fromkeys([*ours, *theirs])
    return [(k, ours.get(k), theirs.get(k)) for k in keys if ours.get(k) != theirs.get(k)]


def log_tail(store: Store, record: JobRecord) -> list[str]:
    """The last lines that its trainers printed."""
    run = run_folder(record)
    lines = _of_folder(run) if run else []
    return lines or list(store.log_tail(record.id))


def _of_folder(run: RunDir) -> list[str]:
    """Of the newest attempts, each line with the attempt's token."""
    found: list[str] = []
    for attempt in reversed(run.attempts()):
        try:
            with attempt.log_file.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - _LOG_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            continue
        lines = text.splitlines()[1 if size > _LOG_BYTES else 0 :]
        found = [f"t{attempt.token} {line}" for line in lines] + found
        if len(found) >= LOG_LINES:
            break
    return found[-LOG_LINES:]
