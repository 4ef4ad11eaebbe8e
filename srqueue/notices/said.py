"""What is said: from a record to title and text. Nothing here reads or sends anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from srqueue.counting import counted, span
from srqueue.notices.notice import Notice
from srqueue.run.outcome import first_line
from srqueue.run.reasons import CONSEQUENCES
from srqueue.store.campaigns import CampaignRecord
from srqueue.store.record import JobRecord

_NAMED = 10
GIB = 1 << 30


@dataclass(frozen=True)
class Day:
    """What a digest tells. `ended`: jobs that ended since the last one; `free`: bytes under the runs root."""

    ended: Sequence[JobRecord] = ()
    running: Sequence[JobRecord] = ()
    queued: int = 0
    held: int = 0
    paused: int = 0
    free: int | None = None


def finished(job: JobRecord, picture: Path | None = None) -> Notice:
    """It succeeded."""
    gain = _gain(job)
    title = f"{job.name} finished" + (f": {gain:+.2f} dB over bicubic" if gain is not None else "")
    lines = [_quality(job), f"{_done(job)}, {_took(job)}", _why(job), _where(job)]
    return Notice(title, "\n".join(filter(None, lines)), picture)


def failed(job: JobRecord) -> Notice:
    """It failed, and nothing happens by itself any more."""
    lines = [_why(job), f"{_done(job)}, {counted(job.attempts, 'attempt')}", _where(job)]
    lines.append(f"why, and what next: srqueue explain {job.short_id}")
    return Notice(f"{job.name} failed: {job.reason or 'unknown'}", "\n".join(filter(None, lines)))


def held(job: JobRecord) -> Notice:
    """It waits for somebody: its pictures or its disk are not there."""
    lines = [_why(job), _done(job), _where(job)]
    lines.append(f"it is looked at again by itself; at once with: srqueue resume {job.short_id}")
    return Notice(f"{job.name} is held: {job.reason or 'unknown'}", "\n".join(filter(None, lines)))


def started(job: JobRecord) -> Notice:
    """Its first attempt began."""
    return Notice(f"{job.name} started", f"{job.total_iter:,} iterations\n{_where(job)}")


def plateau(job: JobRecord, what: str) -> Notice:
    """An automation acted since the quality stands still. `what`: who did what, why."""
    lines = [what, _quality(job), f"{_done(job)}", _where(job)]
    return Notice(f"{job.name} stands still", "\n".join(filter(None, lines)))


def campaign(record: CampaignRecord, verdict: str, ended: int, failed: int) -> Notice:
    """A campaign has ended, or was stopped. `verdict`: a sentence; `ended`: its cells, of which `failed`."""
    bad = f", {failed} failed" if failed else ""
    lines = [verdict, f"{counted(ended, 'cell')}{bad}, its attempts took {span(record.spent_s)} in all"]
    lines.append(f"leaderboard, comparisons, pictures: srqueue campaign report {record.name}")
    how = "has ended"
    if record.state == "stopped" or record.in_vain:
        how = f"{'stands still' if record.in_vain else 'was stopped'}: {record.message}"
    return Notice(f"campaign {record.name} {how}", "\n".join(lines))


def disk(host: str, root: str, free: int, least: float) -> Notice:
    """Less is free under a runs root than should be. `free`: bytes; `least`: GiB."""
    return Notice(
        f"the disk of {host} is low: {free / GIB:.1f} GiB left",
        f"{root} has less than {least:g} GiB (SRQUEUE_NOTIFY_DISK). A training whose disk is full waits "
        "until there is room.\nold crop banks: srqueue dataset gc",
    )


def digest(day: Day) -> Notice:
    """The morning's overview."""
    good = sum(job.state == "succeeded" for job in day.ended)
    bad = sum(job.state == "failed" for job in day.ended)
    title = f"{good} finished, {bad} failed, {len(day.running)} running, {day.queued} queued"
    lines = [_line(job) for job in day.ended[:_NAMED]]
    lines += [f"and {len(day.ended) - _NAMED} more"] if len(day.ended) > _NAMED else []
    lines += [_progress(job) for job in day.running[:_NAMED]]
    if day.held or day.paused:
        lines.append(f"{day.held} held, {day.paused} paused")
    if day.free is not None:
        lines.append(f"{day.free / GIB:.0f} GiB free under the runs root")
    return Notice(title, "\n".join(lines) or "nothing happened")


def bundle(jobs: Sequence[JobRecord]) -> Notice:
    """Many jobs that ended at once, as one notice."""
    good = sum(job.state == "succeeded" for job in jobs)
    lines = [_line(job) for job in jobs[:_NAMED]]
    more = [f"and {len(jobs) - _NAMED} more"] if len(jobs) > _NAMED else []
    return Notice(f"{good} jobs finished, {len(jobs) - good} failed", "\n".join([*lines, *more]))


def trial() -> Notice:
    """That notices arrive."""
    return Notice("srqueue: a trial", "Notices arrive here. Nothing has happened.")


def _line(job: JobRecord) -> str:
    gain = _gain(job)
    figure = f", {gain:+.2f} dB" if gain is not None else ""
    why = "" if job.state == "succeeded" else f": {first_line(job.message or '')}"
    return f"{job.name} {job.short_id} {job.state}{figure}{why}"


def _progress(job: JobRecord) -> str:
    share = job.iteration / job.total_iter if job.total_iter else 0.0
    psnr, eta = _figure(job, "best_psnr"), _figure(job, "eta_s")
    parts = [f"{job.name} {job.short_id} {share:.0%}"]
    parts += [f"{psnr:.2f} dB"] if psnr is not None else []
    parts += [f"{span(eta)} left"] if eta is not None else []
    return ", ".join(parts)


def _figure(job: JobRecord, *keys: str) -> float | None:
    values = {**job.progress, **job.metrics}
    return next((float(values[k]) for k in keys if isinstance(values.get(k), int | float)), None)


def _gain(job: JobRecord) -> float | None:
    best = _figure(job, "best/psnr", "best_psnr")
    base = _figure(job, "bicubic/psnr", "bicubic_psnr")
    return None if best is None or base is None else best - base


def _quality(job: JobRecord) -> str:
    best = _figure(job, "best/psnr", "best_psnr")
    if best is None:
        return ""
    base, ssim = _figure(job, "bicubic/psnr", "bicubic_psnr"), _figure(job, "best/ssim", "ssim")
    beside = f" (bicubic {base:.2f} dB)" if base is not None else ""
    return f"PSNR {best:.2f} dB{beside}" + (f", SSIM {ssim:.4f}" if ssim is not None else "")


def _done(job: JobRecord) -> str:
    return f"iteration {job.iteration:,} of {job.total_iter:,}"


def _took(job: JobRecord) -> str:
    seconds = _figure(job, "seconds")
    return f"{span(seconds)} of training" if seconds else counted(job.attempts, "attempt")


def _why(job: JobRecord) -> str:
    return first_line(job.message or "") or (CONSEQUENCES[job.reason].text if job.reason else "")


def _where(job: JobRecord) -> str:
    place = f" on {job.host}" if job.host else ""
    return f"job {job.short_id}{place}" + (f", {job.run_dir}" if job.run_dir else "")
