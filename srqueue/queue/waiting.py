"""Why a job does not run yet, in words."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from srqueue.counting import counted, span
from srqueue.queue.fitting import unmet
from srqueue.run.reasons import JobState
from srqueue.store.campaigns import Campaigns
from srqueue.store.offers import fits
from srqueue.store.quotas import Quotas
from srqueue.store.record import JobRecord, WorkerRecord
from srqueue.store.store import Store


def able(record: JobRecord, workers: Sequence[WorkerRecord]) -> list[WorkerRecord]:
    """The workers that may claim the job: of its device class, with what it needs, where its run folder is,
    neither ending nor left to their users for now."""
    serving = [
        w
        for w in workers
        if record.device_class in w.classes
        and w.draining is None
        and w.yielding is None
        and fits(w.offer, record.lot)
    ]
    if record.root_id is None:
        return serving
    return [w for w in serving if record.root_id in w.roots]


def with_able(
    records: Iterable[JobRecord], workers: Sequence[WorkerRecord]
) -> list[tuple[JobRecord, Sequence[WorkerRecord]]]:
    """Each record with the workers that may claim it; those of one kind share a list."""
    known: dict[tuple[str, str | None, str], list[WorkerRecord]] = {}
    found: list[tuple[JobRecord, Sequence[WorkerRecord]]] = []
    for record in records:
        kind = (record.device_class, record.root_id, record.lot)
        if kind not in known:
            known[kind] = able(record, workers)
        found.append((record, known[kind]))
    return found


def why_waiting(
    record: JobRecord, workers: Sequence[WorkerRecord], ahead: int, now: float, full: Mapping[str, int] = {}
) -> str | None:
    """What a queued or held job waits for; None for a job in another state.

    `workers`: those that are up; `ahead`: ready jobs that they take first; `now`: UTC s; `full`: users that
    may have no more jobs running, with how many they have.
    """
    if record.state not in (JobState.QUEUED, JobState.HELD):
        return None
    if record.held_by:
        return f"campaign {record.held_by} has not let it begin: {record.message or 'its turn has not come'}"
    if not workers:
        return "no worker is up; start one: srqueue up"
    ending = [w for w in workers if w.draining is not None]
    workers = [w for w in workers if w.draining is None]
    if not workers:
        names = ", ".join(w.name for w in ending)
        return f"every worker that is up takes no more jobs and ends ({names}); start one: srqueue up"
    if not any(record.device_class in w.classes for w in workers):
        served = ", ".join(sorted({c for w in workers for c in w.classes}))
        return f"no worker that is up serves {record.device_class} (only {served})"
    if (told := unmet(record, workers)) is not None:
        return told
    if not able(record, workers) and (told := _resting(record, workers)):
        return told
    if not able(record, workers):
        return f"its run folder lies on {record.host}, and no worker is up that reaches it"
    if record.not_before is not None and record.not_before > now:
        at = time.strftime("%H:%M:%S", time.localtime(record.not_before))
        why = (record.message or "the last attempt ended badly").splitlines()[0]
        return f"until {at} (in {span(record.not_before - now)}), because: {why}"
    if record.user is not None and record.user in full:
        allowed = counted(full[record.user], "job")
        return f"its user {record.user} runs {allowed}, as many as the quota allows"
    if ahead:
        return f"behind {ahead} job{'s' if ahead > 1 else ''}"
    return "it is next: it starts when a worker is free"


def _resting(record: JobRecord, workers: Sequence[WorkerRecord]) -> str | None:
    """That those who could take the job leave their machines to their users."""
    resting = [w for w in workers if w.yielding is not None]
    if not able(record, [replace(w, yielding=None) for w in resting]):
        return None
    named = ", ".join(f"{w.name} ({w.yielding})" for w in resting[:3])
    return f"for a worker that may train now: {named}"


def held_by(store: Store, name: str) -> str | None:
    """Why no cell of a campaign begins at all; None where it lets cells begin."""
    keeper = Campaigns(store.connection).find(name)
    if keeper is None or keeper.state in ("active", "submitting"):
        return None
    why = f": {keeper.message}" if keeper.message not in ("", keeper.state) else ""
    return f"campaign {name}, which holds it, is {keeper.state}{why}"


def why_it_waits(store: Store, record: JobRecord) -> str | None:
    """The same, of a record that was just read."""
    if record.state not in (JobState.QUEUED, JobState.HELD):
        return None
    if record.held_by and (told := held_by(store, record.held_by)):
        return told
    workers = store.workers()
    ahead = store.ahead(record, able(record, workers))
    return why_waiting(record, workers, ahead, time.time(), Quotas(store.connection).full())
