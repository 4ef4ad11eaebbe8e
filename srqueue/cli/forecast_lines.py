"""How forecasts are printed: rows, lines, and the same for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from srqueue.cli.budget_lines import budget_dicts, budget_remarks
from srqueue.counting import counted, span
from srqueue.forecast.bands import Band
from srqueue.forecast.told import Told, clock, plus_minus

if TYPE_CHECKING:
    from srqueue.campaign.spec import CampaignSpec
    from srqueue.forecast.running import RunForecast
    from srqueue.queue.outlook import JobOutlook, Outlook
    from srqueue.store.record import JobRecord

COLUMNS = ("ID", "NAME", "STATE", "BEGINS", "ENDS", "PSNR AT THE END", "FROM")
SPEC_COLUMNS = ("CELL", "ITERATIONS", "TAKES", "PSNR AT THE END", "SPEED FROM", "QUALITY FROM")


def row(job: JobOutlook, now: float) -> list[str]:
    """A job in the table."""
    record = job.job
    begins = "-" if job.begin is None or record.state == "running" else f"in {span(job.begin)}"
    return [
        *(record.short_id, record.name, str(record.state), begins, end_text(job.end, now)),
        *(f"{plus_minus(job.psnr)} dB" if job.psnr else "-", job.source or "-"),
    ]


def end_text(end: Band | None, now: float) -> str:
    """`Sat 14:10 ± 40 min`; `end` in seconds from now."""
    return "-" if end is None else f"{clock(now + end.middle, now)} ± {span(end.half)}"


def total(whose: str, found: Outlook, now: float) -> str:
    """`your 14 jobs end Thu 03:00 (between 02:10 and 04:20)`"""
    known = [job for job in found.jobs if job.end is not None]
    if found.end is None:
        return f"{whose} {counted(len(found.jobs), 'job')}: nothing is known of when they end"
    low, high = clock(now + found.end.low, now), clock(now + found.end.high, now)
    some = "" if len(known) == len(found.jobs) else f" of {len(found.jobs)}"
    ends = f"{counted(len(known), 'job')}{some} {'ends' if len(known) == 1 else 'end'}"
    return (
        f"{whose} {ends} {clock(now + found.end.middle, now)} (four times of five between {low} and {high})"
        + (", as far as their next rungs" if found.to_rung else "")
    )


def remarks(found: Outlook, now: float) -> Iterator[str]:
    """What else is foreseen, and what is not. `now`: UTC s."""
    yield from budget_remarks(found.budgets, now)
    if not found.workers:
        yield "note: no worker is up; waiting jobs begin when one is: srqueue up"
    if found.unknown:
        yield (
            f"note: of {counted(found.unknown, 'job')} no speed is known: nothing like it has run; "
            "srqueue forecast JOB --calibrate measures it"
        )
    if found.stuck and found.workers:
        yield f"note: {counted(found.stuck, 'job')} no worker that is up will come to: srqueue explain JOB"
    if found.left_out:
        yield f"note: {found.left_out:,} jobs further back are left out"
    yield from rung_remarks(found.to_rung, found.at_rungs)


def rung_remarks(to_rung: int, at_rungs: int) -> Iterator[str]:
    """What a search has yet to decide."""
    if to_rung:
        are = "is" if to_rung == 1 else "are"
        yield f"note: {counted(to_rung, 'trial')} {are} foreseen to the next rung only"
    if at_rungs:
        waits = "waits at its rung" if at_rungs == 1 else "wait at their rungs"
        yield f"note: {counted(at_rungs, 'trial')} {waits}; what goes on from there is not foreseen"


def outlook_dict(found: Outlook, now: float) -> dict[str, Any]:
    """For programs; times in UTC s."""
    return {
        "end": _moments(found.end, now), "jobs": [job_dict(job, now) for job in found.jobs],
        "without_speed": found.unknown, "without_worker": found.stuck, "left_out": found.left_out,
        "to_rung": found.to_rung, "at_rungs": found.at_rungs, "unpaid": found.unpaid,
        "budgets": budget_dicts(found.budgets, now),
    }  # fmt: skip


def job_dict(job: JobOutlook, now: float) -> dict[str, Any]:
    """A job for programs: bands as [low, middle, high], times in UTC s, spans in seconds."""
    record = job.job
    return {
        "id": record.id, "name": record.name, "state": str(record.state), "iteration": record.iteration,
        "total_iter": record.total_iter, "begins": None if job.begin is None else round(now + job.begin, 1),
        "end": _moments(job.end, now), "takes_s": job.takes.row(1) if job.takes else None,
        "psnr": job.psnr.row(3) if job.psnr else None, "ssim": job.ssim.row(5) if job.ssim else None,
        "quality_from": job.source or None, "speed_from": job.speed or None, "unpaid": job.unpaid,
    }  # fmt: skip


def job_lines(job: JobOutlook, now: float, *, left_out: bool = False) -> Iterator[str]:
    """A job for people. `left_out`: it stands too far back to be played."""
    record, told = job.job, Told.of(job.job.progress)
    done = f"iteration {record.iteration} of {record.total_iter}"
    yield f"{record.name} {record.short_id} is {record.state}, {done}"
    lines: list[tuple[str, str | None]] = [
        ("begins", None if job.begin is None or record.state == "running" else f"in {span(job.begin)}"),
        ("takes", _takes(job.takes) if job.takes and record.state != "running" else None),
        ("ends", _between(job.end, now) if job.end else "never: see below" if job.unpaid else "not known"),
        ("PSNR-Y", _of_quality(job.psnr, 2, " dB") if job.psnr else "not known yet"),
        ("SSIM-Y", _of_quality(job.ssim, 4, "") if job.ssim else None),
        ("at", _stops(told, record) if told else None),
        ("from", "; ".join(filter(None, [job.source, job.speed and f"speed: {job.speed}"])) or None),
    ]
    for label, value in lines:
        if value is not None:
            yield f"{label:<12}{value}"
    if left_out:
        yield "more jobs stand before it than are played through"
    elif record.until is not None and not record.rests:
        yield f"foreseen to its rung at {record.until:,}: a search decides whether it goes on from there"
    if job.unpaid:
        yield "it will not begin: the budget of its campaign is spent before"
    if not left_out and job.end is None and job.takes is None and record.state in ("queued", "held"):
        yield "nothing like it has run here; --calibrate measures its speed"


def alone(record: JobRecord) -> JobOutlook:
    """A job that is not played: it is paused."""
    from srqueue.queue.outlook import JobOutlook

    told = Told.of(record.progress)
    return JobOutlook(record, psnr=told.psnr if told else None, ssim=told.ssim if told else None)


def ended(record: JobRecord) -> dict[str, Any]:
    """What was last forecast of a job that has ended, and what it came to."""
    told = Told.of(record.progress)
    return {
        "id": record.id, "name": record.name, "state": str(record.state), "finished": record.finished,
        "psnr": record.metrics.get("best/psnr"), "ssim": record.metrics.get("best/ssim"),
        "last_forecast": record.progress.get("forecast") if told else None,
    }  # fmt: skip


def ended_lines(record: JobRecord, found: Mapping[str, Any]) -> Iterator[str]:
    """The same for people."""
    told, psnr = Told.of(record.progress), found["psnr"]
    reached = f" with {psnr:.2f} dB" if isinstance(psnr, int | float) else ""
    yield f"{record.name} {record.short_id} has {_ENDED.get(str(record.state), str(record.state))}{reached}"
    if told is not None and told.psnr is not None:
        yield f"forecast at iteration {told.iteration}: {plus_minus(told.psnr)} dB; all are in its report"


_ENDED = {"cancelled": "been cancelled"}


def spec_row(label: str, found: RunForecast) -> list[str]:
    """A spec or a cell in the table."""
    made, quality = found.made_from, f"{plus_minus(found.psnr)} dB" if found.psnr else "-"
    length = f"{found.total:,}"
    if found.ends_at is not None:  # a rule ends it sooner
        length = f"{found.ends_at.middle:,.0f} of {length}"
    return [
        *(label, length, _takes(found.seconds), quality),
        *(str(made.get("speed") or "-"), str(made.get("quality") or "-")),
    ]


def searched(campaign: CampaignSpec) -> str:
    """What its total says of searches: ` at the most` where they stop trials, and whether cells are drawn."""
    searches = [stage.search for stage in campaign.stages.values() if stage.search]
    told = ", without the cells that are drawn later" if any(s.asked for s in searches) else ""
    most = ", at the most: its search stops trials at rungs"
    return (most if any(s.method != "none" for s in searches) else "") + told


def hours_text(found: Sequence[RunForecast], more: str = "") -> str | None:
    """`3.4 h of training in all (2.9 to 4.0 h)`; None where there is nothing. `more`: of `searched`."""
    known = [one.seconds for one in found if one.seconds is not None]
    if not known:
        unknown = "no speed is known of any: nothing like it has run; srqueue forecast FILE measures it"
        return unknown if found else None
    middle = sum(band.middle for band in known)
    low, high = sum(band.low for band in known), sum(band.high for band in known)
    lacking = len(found) - len(known)
    rest = f"; of {lacking} more nothing is known" if lacking else ""
    return f"{span(middle)} of training in all ({span(low)} to {span(high)}), on one worker{more}{rest}"


def spec_dict(label: str, found: RunForecast) -> dict[str, Any]:
    """A spec or a cell for programs."""
    return {
        "name": label, "iterations": found.total,
        "ends_at": round(found.ends_at.middle) if found.ends_at else found.total,
        "takes_s": found.seconds.row(1) if found.seconds else None,
        "psnr": found.psnr.row(3) if found.psnr else None,
        "ssim": found.ssim.row(5) if found.ssim else None,
        "speed_from": found.made_from.get("speed"), "quality_from": found.made_from.get("quality"),
    }  # fmt: skip


def _takes(band: Band | None) -> str:
    return "-" if band is None else f"{span(band.middle)} ({span(band.low)} to {span(band.high)})"


def _between(end: Band, now: float) -> str:
    low, high = clock(now + end.low, now), clock(now + end.high, now)
    return f"{end_text(end, now)} (four times of five between {low} and {high})"


def _of_quality(band: Band, digits: int, unit: str) -> str:
    return f"{band.middle:.{digits}f}{unit} ({band.low:.{digits}f} to {band.high:.{digits}f})"


def _stops(told: Told, record: JobRecord) -> str | None:
    """Where early stopping, a rule or its rung may end it sooner."""
    total = record.total_iter
    if told.ends_at is None or told.ends_at.low >= total:
        return None
    low, high = told.ends_at.low, told.ends_at.high
    if low < high:
        by = "early stopping, or a stop rule" if record.spec.get("stop") else "early stopping"
        return f"iteration {told.ends_at.middle:.0f} ({low:.0f} to {high:.0f} of {total}): {by}"
    return f"iteration {high:.0f} of {total}: {'its rung' if high == record.until else 'a stop rule'}"


def _moments(end: Band | None, now: float) -> list[float] | None:
    return None if end is None else [round(now + s, 1) for s in end.row(3)]
