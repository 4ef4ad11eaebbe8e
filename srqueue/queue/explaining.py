"""Why a job waits, was tried again or stopped: sentences with their evidence. Pure: nothing is read here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from srqueue.run.evidence import AttemptEvidence, Evidence
from srqueue.run.reasons import CONSEQUENCES, FAILURES_IN_A_ROW, JobState, StopReason
from srqueue.run.remedies import REMEDIES
from srqueue.store.attempts import AttemptRecord
from srqueue.store.record import JobRecord, WorkerRecord

QUIET = 60.0
"""Seconds without a word from a running job after which that is worth telling."""


@dataclass(frozen=True)
class Facts:
    """All that is known of a job at `now` (UTC s).

    `lease_left`: seconds, negative once it ran out; `ahead`: names of ready jobs before it; `waits`: what
    `why_waiting` says; `free`: bytes under its runs root, where that is on this machine.
    """

    job: JobRecord
    now: float
    attempts: Sequence[AttemptRecord] = ()
    workers: Sequence[WorkerRecord] = ()
    waits: str | None = None
    lease_left: float | None = None
    evidence: Evidence | None = None
    free: int | None = None


@dataclass
class Explanation:
    """`why`: the sentences; `attempts`: rows of (token, where, from, to, took, ended); `next`: what to do."""

    why: list[str] = field(default_factory=list)
    attempts: list[tuple[str, ...]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    next: str | None = None


ATTEMPT_COLUMNS = ("attempt", "where", "from", "to", "took", "ended")


def explain(facts: Facts) -> Explanation:
    """The explanation of a job."""
    job = facts.job
    told = Explanation()
    tell = {
        JobState.QUEUED: _waiting,
        JobState.HELD: _waiting,
        JobState.RUNNING: _running,
    }.get(job.state, _ended)
    tell(facts, told)
    told.why += _failures(job)
    told.why += _from_folder(facts)
    told.attempts = [_row(attempt) for attempt in facts.attempts]
    told.log = _log(facts)
    if told.next is None:
        remedy = REMEDIES[job.reason] if job.reason else "srqueue show JOB"
        told.next = remedy.replace("JOB", job.short_id)
    return told


def explain_folder(evidence: Evidence) -> Explanation:
    """The explanation of a run folder alone."""
    told = Explanation(attempts=[_row_of(attempt) for attempt in evidence.attempts])
    last = evidence.attempts[-1] if evidence.attempts else None
    if last is None:
        told.why.append("no attempt was made")
    elif last.outcome is None:
        told.why.append(
            f"its last attempt ({last.token}) has no outcome: it runs, or its process was ended at about "
            f"iteration {last.reached}"
        )
        told.log = list(last.last_lines)
    else:
        reason = last.outcome.reason
        told.why.append(f"its last attempt ({last.token}) ended: {last.outcome.message or reason}")
        told.next = REMEDIES[reason].replace("JOB", evidence.run.name[-6:].lower())
        if CONSEQUENCES[reason].counts_as_failure:
            told.log = list(last.last_lines)
    told.why += _of_checkpoints(evidence)
    return told


def _waiting(facts: Facts, told: Explanation) -> None:
    job = facts.job
    if job.wish == "cancel":
        told.why.append("it is to be cancelled, and waits for a worker to export its best weights first")
    elif job.message:
        told.why.append(f"its last attempt ended: {_first(job.message)}")
    told.why.append(f"now it waits: {facts.waits or 'for a worker'}")
    if job.not_before is not None and job.not_before > facts.now:
        told.next = f"it starts by itself; at once with: srqueue resume {job.short_id}"
        if job.reason is not None and job.state is JobState.HELD:
            told.next = REMEDIES[job.reason].replace("JOB", job.short_id)
    else:
        told.next = "nothing need be done: it starts by itself" if facts.workers else "srqueue up"
    if job.reason is StopReason.DISK_FULL and facts.free is not None:
        told.why.append(f"under its runs root {facts.free / 1e6:,.0f} MB are free")
    told.why += _place(facts)


def _place(facts: Facts) -> list[str]:
    job = facts.job
    if job.root_id is None or any(worker.root_id == job.root_id for worker in facts.workers):
        return []
    return [f"only a worker whose runs root is {job.root_id} can go on with it ({job.run_dir} on {job.host})"]


def _running(facts: Facts, told: Explanation) -> None:
    job = facts.job
    where = f"attempt {job.token} runs on {job.owner or '?'} ({job.host or '?'})"
    begun = facts.attempts[-1].begun if facts.attempts else None
    told.why.append(where + (f", for {_span(facts.now - begun)}" if begun else ""))
    left = facts.lease_left
    if left is not None and left <= 0:
        told.why.append(
            f"its lease ran out {_span(-left)} ago: the worker is gone or cut off, and another takes over"
        )
    elif left is not None:
        told.why.append(f"its lease is good for {_span(left)} more, and is renewed every few seconds")
    speed, eta = job.progress.get("it_s"), job.progress.get("eta_s")
    told.why.append(
        f"iteration {job.iteration} of {job.total_iter}"
        + (f", {speed:.1f} it/s" if isinstance(speed, int | float) else "")
        + (f", {_span(eta)} left" if isinstance(eta, int | float) else "")
        + (f", {job.progress['phase']}" if job.progress.get("phase") else "")
    )
    if facts.now - job.updated > QUIET:
        told.why.append(f"nothing was heard of it for {_span(facts.now - job.updated)}")
    if job.wish:
        asked = f"give way to {job.yields_to}" if job.wish == "preempt" else job.wish
        told.why.append(f"it was asked to {asked}, and does so at its next iteration")
    told.next = "nothing need be done; watch it: srqueue watch " + job.short_id


def _ended(facts: Facts, told: Explanation) -> None:
    job = facts.job
    by = next((a for a in reversed(facts.attempts) if a.ended is not None), None)
    at = f" (attempt {by.token} on {by.worker})" if by else ""
    told.why.append(f"{job.state}{at}: {_first(job.message or '') or job.reason or 'by a wish'}")


def _failures(job: JobRecord) -> list[str]:
    if not job.failures:
        return []
    return [
        f"failures in a row without a new checkpoint: {job.failures} of {FAILURES_IN_A_ROW}; a checkpoint "
        "sets that back to none, the last one ends the job"
    ]


def _from_folder(facts: Facts) -> list[str]:
    job, evidence = facts.job, facts.evidence
    if evidence is None:
        if job.run_dir and job.seq is not None:
            return [
                f"newest checkpoint: number {job.seq}, of iteration {job.iteration} or before (on {job.host})"
            ]
        return []
    return _of_checkpoints(evidence)


def _of_checkpoints(evidence: Evidence) -> list[str]:
    found = []
    if evidence.newest is not None and evidence.saved is not None:
        found.append(f"newest checkpoint: {evidence.newest}, {_span(evidence.saved)} ago")
    found += [f"set aside as damaged: {name}" for name in evidence.set_aside]
    if evidence.bad_pictures:
        named = ", ".join(evidence.bad_pictures[:3])
        found.append(f"left out, since they cannot be read: {named}")
    if evidence.decided:
        last = "; ".join(evidence.decisions)
        found.append(f"decided on the way, {evidence.decided} in all, the last: {last}")
    for attempt in evidence.attempts[-2:]:
        found += [f"attempt {attempt.token} warned: {text}" for text in attempt.warnings[-3:]]
    return found


def _log(facts: Facts) -> list[str]:
    """The last lines of an attempt that ended badly: from the folder, else from the message."""
    job = facts.job
    reason = facts.attempts[-1].reason if facts.attempts else job.reason
    bad = reason is not None and (
        CONSEQUENCES[reason].counts_as_failure or CONSEQUENCES[reason].next_state is JobState.FAILED
    )
    if not bad or job.state is JobState.RUNNING:
        return []
    if facts.evidence and facts.evidence.attempts:
        return list(facts.evidence.attempts[-1].last_lines)
    return (job.message or "").splitlines()[1:]


def _row(attempt: AttemptRecord) -> tuple[str, ...]:
    ended = attempt.ended
    how = "runs" if ended is None or attempt.reason is None else attempt.reason.value
    if ended is not None:
        what = _first(attempt.message or "")
        how += f": {what}" if what and what != how else ""
        how += f" (failure {attempt.failures})" if attempt.counted else ""
        how += f" -> {attempt.state}" if attempt.state else ""
    took = "-" if ended is None else _span(ended - attempt.begun)
    reached = "-" if attempt.iteration is None else str(attempt.iteration)
    return (
        str(attempt.token),
        attempt.worker.partition(":")[0],
        str(attempt.from_iteration),
        reached,
        took,
        how,
    )


def _row_of(attempt: AttemptEvidence) -> tuple[str, ...]:
    outcome = attempt.outcome
    how = f"{outcome.reason}: {_first(outcome.message)}" if outcome else "no outcome"
    return (str(attempt.token), attempt.host or "-", attempt.resumed or "0", str(attempt.reached), "-", how)


def _first(message: str) -> str:
    """Its first line, without the announcement of the others."""
    return next(iter(message.splitlines()), "").removesuffix(":").removesuffix("; its last lines")


def _span(seconds: float) -> str:
    seconds = max(0.0, seconds)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} days"
