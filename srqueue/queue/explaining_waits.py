"""What a queued or held job waits for."""

from __future__ import annotations

import time

from srqueue.counting import counted, span
from srqueue.queue.facts import Facts
from srqueue.queue.fitting import unmet
from srqueue.run.outcome import first_line
from srqueue.run.reasons import JobState, StopReason
from srqueue.run.remedies import REMEDIES
from srqueue.store.record import JobRecord, worker_of

_BY_ITSELF = "nothing need be done: it starts by itself"


def waiting(facts: Facts) -> tuple[list[str], str]:
    """(sentences, what to do)."""
    job = facts.job
    if job.held_by:
        return _held_by_its_campaign(facts)
    why = _before(facts)
    if job.wish == "cancel":
        why.append(
            "it is to be cancelled, and waits for a worker to export its best weights first; cancelled once "
            "more it ends at once, without"
        )
    if not facts.able:
        return why + _nobody(facts), _whom_to_start(facts)
    if job.not_before is not None and job.not_before > facts.now:
        return why + _later(facts), _at_once(job)
    why.append(f"now it waits: {facts.waits or 'for a worker'}")
    if facts.ahead:
        why.append("before it: " + _names(facts))
    if turns := _turns(facts):
        why.append(turns)
    if guess := _guess(job):
        why.append(guess)
    return why + _workers(facts), _BY_ITSELF


def _held_by_its_campaign(facts: Facts) -> tuple[list[str], str]:
    job = facts.job
    why = _before(facts) if facts.last else []
    why.append(f"now it waits: {facts.waits}")
    if "succeeded" in (job.message or ""):  # nothing is left that could end well
        return why, f"srqueue campaign retry {job.held_by}; or begin without: srqueue resume JOB"
    return why, f"it begins by itself; srqueue campaign show {job.held_by}; at once: srqueue resume JOB"


def _before(facts: Facts) -> list[str]:
    """How the last attempt ended, and what was said since."""
    job, last = facts.job, facts.last
    if last is None:
        since = "since its last attempt" if job.attempts else "no attempt was made yet"
        return [f"{since}: {_whole(job.message)}"] if job.message else []
    reason = str(last.reason or "nobody said why")
    how = _whole(last.message or "") or reason
    when = span(facts.now - (last.ended or facts.now))
    why = [
        f"attempt {last.token} on {worker_of(last.worker)} ended {when} ago: {reason}"
        + (f", {how}" if how != reason else "")
    ]
    if job.message and _whole(job.message) != how:
        why.append(f"since then: {_whole(job.message)}")
    return why


def _nobody(facts: Facts) -> list[str]:
    job = facts.job
    why = [f"now it waits: {facts.waits or 'no worker may take it'}"]
    if job.root_id is not None and not any(job.root_id in w.roots for w in facts.workers):
        why.append(
            f"only a worker whose runs root is {job.root_id} can go on with it: its folder is {job.run_dir} "
            f"on {job.host}"
        )
    return why


def _whom_to_start(facts: Facts) -> str:
    job, going_on = facts.job, [w for w in facts.workers if w.draining is None]
    if unmet(job, going_on) is not None:
        return "start a worker that has it, or ask for less: srqueue needs JOB --help"
    if going_on and not any(job.device_class in w.classes for w in going_on):
        return f"start a worker that serves {job.device_class}, or submit it for another compute.device"
    if job.root_id is not None and job.host and not any(job.root_id in w.roots for w in facts.workers):
        return f"on {job.host}: srqueue up"
    return "srqueue up"


def _later(facts: Facts) -> list[str]:
    job = facts.job
    at = job.not_before or facts.now
    when = f"until {time.strftime('%H:%M:%S', time.localtime(at))} (in {span(at - facts.now)})"
    if job.state is not JobState.HELD:
        then = "begins" if _for_its_window(job) else "is tried again"
        return [f"now it waits {when}, then it {then} by itself"]
    why = [f"it is looked at again by itself, now it waits {when}"]
    if job.reason is StopReason.DISK_FULL and facts.free is not None:
        why.append(f"under its runs root {facts.free / 1e6:,.0f} MB are free now")
    if job.reason is StopReason.ROOT_MISSING and facts.here and facts.evidence is None:
        why.append(f"there is no folder {job.run_dir} on this machine now")
    return why


def _at_once(job: JobRecord) -> str:
    if job.state is JobState.HELD:
        remedy = REMEDIES[job.reason] if job.reason else "it starts by itself"
        return remedy if "srqueue resume" in remedy else f"{remedy}; at once: srqueue resume JOB"
    if _for_its_window(job):  # who resumes it finds the window closed again
        return (
            f"{_BY_ITSELF} when its window opens; for a run at once: srqueue cancel JOB, and submit without"
        )
    return "it starts by itself; at once with: srqueue resume JOB"


def _for_its_window(job: JobRecord) -> bool:
    return (job.message or "").startswith("its window")


def _guess(job: JobRecord) -> str:
    """What a default does to where it goes."""
    if job.guess is None or job.gpu_memory or job.peak:
        return ""
    amount = f"{job.guess / 2**30:.1f} GiB of GPU memory"
    if job.guess_off:
        return (
            f"a job of its kind took {amount}; no worker had so much: it goes to any, and may not fit there"
        )
    return (
        f"by default a GPU that gives it {amount} is waited for, since a job of its kind took that; any: "
        f"srqueue needs {job.short_id} --none"
    )


def _turns(facts: Facts) -> str:
    """Whose turn it is, where several users have jobs that wait."""
    waiting = [user for user in facts.users if user.waiting]
    if facts.job.user is None or len(waiting) < 2:
        return ""
    waiting.sort(key=lambda user: (user.running, user.used_s))
    told = ", ".join(
        f"{user.name}{' (its own)' if user.name == facts.job.user else ''} runs {user.running}, "
        f"{span(user.used_s)} lately"
        for user in waiting[:5]
    )
    return f"users take turns within a priority, who runs and has trained least first: {told}"


def _names(facts: Facts) -> str:
    named = ", ".join(f"{_name(job)} (priority {job.priority})" for job in facts.first_ahead)
    more = facts.ahead - len(facts.first_ahead)
    return named + (f" and {more} more" if more > 0 else "")


def _workers(facts: Facts) -> list[str]:
    """Who could take it, and when: a guess from what is said about the time left."""
    free = {w.name: w.slots - len(facts.runs_on(w)) for w in facts.able}
    idle, room = [name for name, slots in free.items() if slots > 0], sum(max(n, 0) for n in free.values())
    if idle and facts.ahead < room:
        rung = facts.moments.rung_in
        again = f"; it is rung for again in {span(rung)}" if rung is not None else ""
        return [f"{', '.join(idle[:3])} {'is' if len(idle) == 1 else 'are'} idle and should take it{again}"]
    busy = [job for w in facts.able for job in facts.runs_on(w)]
    told = [f"{job.worker} runs {_name(job)}{_left(job)}{_yields(job, facts)}" for job in busy[:3]]
    why = ["; ".join(told)] if told else []
    times = sorted(eta for job in busy if (eta := _eta(job)) is not None)
    turn = facts.ahead - room
    if len(times) == len(busy) and turn < len(times):
        why.append(f"a worker should be free for it in about {span(times[turn])}")
    elif len(busy) > 3:
        able = len(free) - len(idle)
        why.append(f"{counted(able, 'worker')} could take it, all of them busy")
    return why


def _eta(job: JobRecord) -> float | None:
    eta = job.progress.get("eta_s")
    return float(eta) if isinstance(eta, int | float) else None


def _left(job: JobRecord) -> str:
    eta = _eta(job)
    return "" if eta is None else f" (about {span(eta)} left)"


def _yields(job: JobRecord, facts: Facts) -> str:
    asked = job.wish == "preempt" and job.preempted_by == facts.job.id
    return ", and was asked to give way to this one" if asked else ""


def _name(job: JobRecord) -> str:
    return f"{job.name} {job.short_id}"


def _whole(message: str) -> str:
    """The first line of a message, and where that was, where another line says so."""
    first = first_line(message)
    where = next(
        (text for line in message.splitlines()[1:] if (text := line.strip()).startswith("where: ")), None
    )
    return f"{first} ({where})" if where else first
