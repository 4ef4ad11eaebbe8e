"""Where a job runs, how safe it is there, and what hints at trouble."""

from __future__ import annotations

from srqueue.counting import counted, span
from srqueue.queue.facts import Facts
from srqueue.queue.waiting import able

QUIET = 60.0
"""Seconds without a word from a running job after which that is worth telling."""
_LATE = 0.5
"""Of a lease: an owner that lives has renewed within this share of it."""
_DRAINS = {"hand_over": "hands its job over and ends", "finish": "ends when this job has ended"}


def running(facts: Facts) -> tuple[list[str], str]:
    """(sentences, what to do)."""
    job, now = facts.job, facts.now
    worker = next((w for w in facts.workers if w.name == job.worker), None)
    begun = facts.attempts[-1].begun if facts.attempts else job.claimed
    device = f", {worker.device}" if worker and worker.device else ""
    since = f", for {span(now - begun)}" if begun else ""
    why = [f"attempt {job.token} runs on {job.worker or '?'} (host {job.host or '?'}{device}){since}"]
    why += _lease(facts)
    if worker is None:
        why.append("its worker is not announced any more: it is gone, or cut off from Redis")
    elif worker.draining:
        why.append(f"its worker was asked to end: it {_DRAINS.get(worker.draining, worker.draining)}")
    why.append(_progress(facts))
    why += _at_stake(facts)
    if now - job.updated > QUIET:
        why.append(f"Redis has heard nothing of it for {span(now - job.updated)}")
    why += _folder(facts)
    if job.wish:
        asked = f"give way to {job.yields_to or 'a better job'}" if job.wish == "preempt" else job.wish
        why.append(f"it was asked to {asked}, and does so at its next iteration")
    if job.preemptions:
        why.append(f"it has given way {counted(job.preemptions, 'time')} before")
    lost = facts.moments.lease_left is not None and facts.moments.lease_left <= 0
    if lost and not _others(facts):
        return why, f"start a worker on {job.host}: srqueue up"
    return why, "nothing need be done; watch it: srqueue watch JOB"


def _others(facts: Facts) -> bool:
    """Whether another worker could take the job over."""
    return any(w.name != facts.job.worker for w in able(facts.job, facts.workers))


def _lease(facts: Facts) -> list[str]:
    left, silent = facts.moments.lease_left, facts.moments.silent
    if left is None:
        return []
    if left <= 0:
        then = "another worker takes over soon" if _others(facts) else "no other worker can take over"
        return [f"its lease ran out {span(-left)} ago: the worker is gone or cut off; {then}"]
    if silent is not None and facts.moments.lease and silent > _LATE * facts.moments.lease:
        return [
            f"its worker has not renewed the lease for {span(silent)}; where that goes on, the job is taken "
            f"over in {span(left)}"
        ]
    return [f"its lease is good for {span(left)} more, and is renewed every few seconds"]


def _progress(facts: Facts) -> str:
    job = facts.job
    speed, eta, phase = (job.progress.get(key) for key in ("it_s", "eta_s", "phase"))
    return (
        f"iteration {job.iteration} of {job.total_iter}"
        + (f", {speed:.1f} it/s" if isinstance(speed, int | float) else "")
        + (f", about {span(eta)} left" if isinstance(eta, int | float) else "")
        + (f", {phase}" if phase else "")
    )


def _at_stake(facts: Facts) -> list[str]:
    """What a kill would cost now."""
    job, newest = facts.job, facts.evidence.newest if facts.evidence else None
    saved = newest.iteration if newest else facts.moments.saved
    if saved is None:
        return ["nothing is saved yet: a kill now would cost all of it"] if job.iteration else []
    lost, speed = max(0, job.iteration - saved), job.progress.get("it_s")
    took = f", about {span(lost / speed)}" if isinstance(speed, int | float) and speed > 0 else ""
    return [f"saved up to iteration {saved}: a kill now would cost {counted(lost, 'iteration')}{took}"]


def _folder(facts: Facts) -> list[str]:
    """Where the folder says otherwise than Redis."""
    job, evidence = facts.job, facts.evidence
    if evidence is None or not evidence.attempts:
        return []
    newest, found = evidence.attempts[-1], []
    if newest.token > job.token:
        found.append(f"its run folder holds attempt {newest.token}, of which Redis does not know")
    elif newest.token == job.token and newest.outcome is not None:
        found.append(f"its trainer has ended ({newest.outcome.reason}); its worker has still to tell Redis")
    elif newest.token == job.token and newest.alive and facts.now - newest.alive > QUIET:
        found.append(f"its trainer gave no sign of life for {span(facts.now - newest.alive)}")
    return found
