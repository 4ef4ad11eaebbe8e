"""Why a job waits, was tried again or stopped: sentences with their evidence. Pure: nothing is read here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from srqueue.counting import counted, span
from srqueue.queue.explaining_folders import of_attempts, of_checkpoints
from srqueue.queue.explaining_running import running
from srqueue.queue.explaining_waits import waiting
from srqueue.queue.facts import Facts
from srqueue.run.evidence import AttemptEvidence, Evidence
from srqueue.run.outcome import first_line
from srqueue.run.reasons import CONSEQUENCES, FAILURES_IN_A_ROW, JobState, StopReason
from srqueue.run.remedies import REMEDIES
from srqueue.store.attempts import AttemptRecord
from srqueue.store.record import JobRecord, worker_of

ATTEMPT_COLUMNS = ("attempt", "where", "from", "to", "took", "ended")
ATTEMPTS_SHOWN = 10
"""The newest; a page at most."""


@dataclass(frozen=True)
class Explanation:
    """`why`: sentences; `next`: what to do; `attempts`: rows of ATTEMPT_COLUMNS, `earlier`: how many more
    there were; `log`: the last lines of the attempt that ended badly, `log_file`: where the rest is.
    """

    why: tuple[str, ...]
    next: str
    attempts: tuple[tuple[str, ...], ...] = ()
    earlier: int = 0
    log: tuple[str, ...] = ()
    log_file: str | None = None


def _yields(job: JobRecord) -> list[str]:
    """That it gave the machine back: no failure, and no time of training."""
    if not job.yields:
        return []
    waited = f", and waited {span(job.yielded_s)} for that" if job.yielded_s else ""
    return [f"it yielded {counted(job.yields, 'time')}, which is no failure{waited}"]


def explain(facts: Facts) -> Explanation:
    """The explanation of a job."""
    job = facts.job
    if job.state in (JobState.QUEUED, JobState.HELD):
        why, then = waiting(facts)
    elif job.state is JobState.RUNNING:
        why, then = running(facts)
    else:
        why, then = _ended(facts)
    why += _failures(job) + _yields(job)
    if facts.evidence is not None:
        why += of_checkpoints(facts.evidence, None if job.state is JobState.RUNNING else job.seq)
        why += of_attempts(facts.evidence)
    elif job.seq is not None:
        saved = "" if facts.moments.saved is None else f", of iteration {facts.moments.saved}"
        why.append(f"newest checkpoint: number {job.seq}{saved}, on {job.host}")
    log, log_file = _log(facts)
    shown = facts.attempts[-ATTEMPTS_SHOWN:]
    return Explanation(
        tuple(why), then.replace("JOB", job.short_id), tuple(_row(a, facts.now) for a in shown),
        max(job.attempts, len(facts.attempts)) - len(shown), log, log_file,
    )  # fmt: skip


def explain_folder(evidence: Evidence, now: float) -> Explanation:
    """The explanation of a run folder alone, at `now` (UTC s)."""
    shown, last = evidence.attempts[-ATTEMPTS_SHOWN:], evidence.attempts[-1] if evidence.attempts else None
    why: list[str] = []
    then, log = "srqueue ls --all says what the queue knows of it", tuple[str, ...]()
    if last is None:
        why.append("no attempt was made")
    elif last.outcome is None:
        alive = (
            "no sign of life"
            if last.alive is None
            else f"its last sign of life: {span(now - last.alive)} ago"
        )
        why.append(
            f"its last attempt ({last.token}) has no outcome: it runs, or its process was ended at about "
            f"iteration {last.reached}; {alive}"
        )
        log = last.last_lines
    else:
        reason = last.outcome.reason
        why.append(f"its last attempt ({last.token}) ended: {reason}{_unlike(reason, last.outcome.message)}")
        then = REMEDIES[reason].replace("JOB", evidence.run.name[-6:].lower())
        if _bad(reason):
            log = last.last_lines
    if evidence.removed:
        why.append("its job was removed from the queue, and these files were kept")
    why += of_checkpoints(evidence) + of_attempts(evidence)
    return Explanation(
        tuple(why), then, tuple(_row_of(a) for a in shown), evidence.attempts_made - len(shown), log,
        str(last.log) if last and log else None,
    )  # fmt: skip


def _ended(facts: Facts) -> tuple[list[str], str]:
    job, last = facts.job, facts.last
    when = job.finished or job.updated
    told = job.message or (CONSEQUENCES[job.reason].text if job.reason else "")
    why = [f"{job.state} {span(facts.now - when)} ago{_unlike(job.state, told)}"]
    if last is not None and last.state is job.state:
        why.append(f"that was the end of attempt {last.token} on {worker_of(last.worker)}")
    elif last is not None:
        why.append(
            f"that was asked while it did not run; attempt {last.token} had ended before: {_how(last)}"
        )
    if job.state is JobState.SUCCEEDED and facts.evidence and facts.evidence.attempts:
        outcome = facts.evidence.attempts[-1].outcome
        if outcome and outcome.export:
            why.append(f"its model: {facts.evidence.run / outcome.export}")
    if job.state is JobState.PAUSED:
        return why, REMEDIES[StopReason.RUNG if job.reason is StopReason.RUNG else StopReason.PAUSED]
    if job.reason is None:
        return why, "srqueue show JOB"
    then = REMEDIES[job.reason]
    if job.reason is StopReason.NO_PROGRESS and last is not None and last.reason not in (None, job.reason):
        then = f"{REMEDIES[last.reason]}; then: srqueue retry JOB"
    return why, then


def _failures(job: JobRecord) -> list[str]:
    if not job.failures or job.state.final:
        return []
    return [
        f"failures in a row without a new checkpoint: {job.failures} of {FAILURES_IN_A_ROW}; a checkpoint "
        "sets that back to none, the last one ends the job"
    ]


def _bad(reason: StopReason | None) -> bool:
    row = CONSEQUENCES.get(reason) if reason else None
    return row is not None and (row.counts_as_failure or row.next_state is JobState.FAILED)


def _log(facts: Facts) -> tuple[tuple[str, ...], str | None]:
    """(last lines, file) of the newest attempt, where it ended badly: by the folder, else by its message."""
    job, last = facts.job, facts.last
    if last is None or not _bad(last.reason) or job.state is JobState.RUNNING or job.run_dir is None:
        return (), None
    file = str(Path(job.run_dir) / "attempts" / str(last.token) / "log")
    attempt = facts.evidence.attempt(last.token) if facts.evidence else None
    if attempt is not None and attempt.last_lines:
        return attempt.last_lines, file
    return tuple((last.message or "").splitlines()[1:]), f"{file} on {last.host}"


def _row(attempt: AttemptRecord, now: float) -> tuple[str, ...]:
    return (
        str(attempt.token),
        worker_of(attempt.worker),
        str(attempt.from_iteration),
        "-" if attempt.iteration is None else str(attempt.iteration),
        span((attempt.ended or now) - attempt.begun),
        "runs" if attempt.ended is None else _how(attempt) + _followed(attempt),
    )


def _how(attempt: AttemptRecord) -> str:
    """`crashed: the trainer was ended by SIGKILL`."""
    return f"{attempt.reason or '?'}{_unlike(attempt.reason or '', attempt.message or '')}"


def _followed(attempt: AttemptRecord) -> str:
    """` (failure 1 of 3) -> queued, again after 12 s`."""
    count = f" (failure {attempt.failures} of {FAILURES_IN_A_ROW})" if attempt.counted else ""
    wait = ""
    if attempt.not_before is not None and attempt.ended is not None:
        wait = f", again after {span(attempt.not_before - attempt.ended)}"
    return count + (f" -> {attempt.state}{wait}" if attempt.state else "")


def _row_of(attempt: AttemptEvidence) -> tuple[str, ...]:
    outcome = attempt.outcome
    how = f"{outcome.reason}{_unlike(outcome.reason, outcome.message)}" if outcome else "no outcome"
    ends = attempt.alive
    took = "-" if ends is None else span(ends - attempt.begun)
    return (str(attempt.token), attempt.host or "-", attempt.resumed or "0", str(attempt.reached), took, how)


def _unlike(word: str, message: str) -> str:
    """`: ` and the first line of a message, where it says more than the word."""
    first = first_line(message)
    return f": {first}" if first and first != word else ""
