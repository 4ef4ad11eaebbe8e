"""What a user does with a job from its page: the verbs of the command line, by the same client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from srqueue.errors import UsageError
from srqueue.monitor.job_view import ACTS
from srqueue.monitor.refusals import Malformed
from srqueue.queue.client import Client
from srqueue.queue.findings import with_findings
from srqueue.run.folder import check_name
from srqueue.run.reasons import JobState
from srqueue.spec.expand import Expanded
from srqueue.store.acting import called
from srqueue.store.record import JobRecord

_DONE = {
    "pause": "paused",
    "resume": "back in the queue",
    "cancel": "cancelled",
    "retry": "back in the queue",
}
_ASKED = {
    "pause": "it saves a checkpoint and pauses",
    "resume": "it goes on",
    "cancel": "it exports its best weights and ends",
    "retry": "it goes on",
}


@dataclass(frozen=True)
class Done:
    """`text`: what came of it; `job`: the job it was done to, or the new one; `notes`: of a new job."""

    text: str
    job: JobRecord
    new: bool = False
    notes: tuple[str, ...] = ()


def act(client: Client, job: JobRecord, name: str, given: Mapping[str, Any]) -> Done:
    """Raises SrqueueError where it does not fit the job's state, or `given` is not what the act needs."""
    if name == "priority":
        priority = _whole(given, "priority", 0, 9)
        return Done(f"its priority is {priority}", client.set_priority(job.id, priority))
    if name == "extend":
        iterations = _whole(given, "iterations", 1, 10**9)
        with called(f"extend of {job.short_id}"):
            return _queued(client, client.extend(job.id, iterations, name=_name(given)))
    if name == "upgrade":
        preset = str(given.get("preset") or "fidelity")
        with called(f"upgrade of {job.short_id}"):
            return _queued(client, client.upgrade(job.id, preset, name=_name(given)))
    if name not in ACTS:
        raise Malformed(f"there is no act {name!r}")
    changed: JobRecord = getattr(client, name)(job.id)
    running = changed.state is JobState.RUNNING
    text = _ASKED[name] if running else (changed.message or _ASKED[name]) if changed.wish else _DONE[name]
    return Done(text, changed)


def _queued(client: Client, expanded: Expanded) -> Done:
    whole = with_findings(client.settings, expanded)
    submitted = client.submit(whole)
    job = submitted.job
    text = f"queued {job.name}" if submitted.new else f"the same spec is {job.state} already as {job.name}"
    return Done(text, job, submitted.new, whole.notices)


def _whole(given: Mapping[str, Any], key: str, least: int, most: int) -> int:
    value = given.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Malformed(f"{key} must be a whole number from {least} to {most}", where=key)
    return value


def _name(given: Mapping[str, Any]) -> str | None:
    name = given.get("name")
    try:
        return check_name(str(name), "a job") if name else None
    except UsageError as error:
        raise Malformed(error.message, where=error.where, hint=error.hint) from None
