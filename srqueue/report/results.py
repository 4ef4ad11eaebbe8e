"""The results of jobs as rows: what came out, and how good it was at which hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from srqueue.report.comparable import validation_text
from srqueue.report.subject import Subject
from srqueue.run.reasons import CONSEQUENCES, StopReason

_MINUTE, _HOUR = 60, 3600
_LADDER = (
    *(5, 10, 20, 30),
    *(m * _MINUTE for m in (1, 2, 5, 10, 20, 30)),
    *(h * _HOUR for h in (1, 2, 4, 8, 12, 16, 20, 24, 30, 36, 48, 72, 96, 120, 168)),
)
"""Seconds at which quality is read; the hours from 4 to 30 are those of the paper."""
_COLUMNS = 6
_LAST = {reason for reason, row in CONSEQUENCES.items() if row.next_state.final}


@dataclass(frozen=True)
class Result:
    """One job. Hours are of training; dB, or 0..1 for SSIM; None where unknown."""

    job: str
    id: str
    preset: str
    network: str
    state: str
    iterations: int
    total_iter: int
    hours: float
    psnr: float | None
    ssim: float | None
    bicubic_psnr: float | None
    gain: float | None
    best_iteration: int | None
    stop_reason: str
    validated_on: str
    kwh: float | None
    kwh_estimated: float | None = None
    cost: float | None = None


def result(subject: Subject) -> Result:
    """The row of one job."""
    best = subject.figures.get("best/iteration")
    return Result(
        job=subject.name,
        id=subject.id,
        preset=preset(subject),
        network=str(subject.value("network_g.name") or subject.value("network_g.type") or ""),
        state=subject.state,
        iterations=subject.history.iteration,
        total_iter=subject.total_iter,
        hours=subject.history.hours,
        psnr=subject.best("psnr"),
        ssim=subject.best("ssim"),
        bicubic_psnr=subject.bicubic("psnr"),
        gain=subject.gain,
        best_iteration=None if best is None else int(best),
        stop_reason=stop_reason(subject),
        validated_on=validation_text(subject),
        kwh=subject.energy.kwh if subject.energy else None,
        kwh_estimated=subject.energy.estimated if subject.energy else None,
        cost=subject.energy.cost if subject.energy else None,
    )


def preset(subject: Subject) -> str:
    """The presets that its values came from, the one of most values first; empty where nobody knows."""
    counts: dict[str, int] = {}
    for origin in subject.origins.values():
        kind, _, name = origin.partition(" ")
        if kind == "preset" and name:
            counts[name.split(" ")[0].rstrip(",:")] = counts.get(name.split(" ")[0].rstrip(",:"), 0) + 1
    return max(counts, key=lambda name: counts[name], default="")


def stop_reason(subject: Subject) -> str:
    """Why it stopped, for a person."""
    if subject.reason in set(StopReason):
        told = subject.message.partition("\n")[0]
        by_rule = subject.reason in (StopReason.BUDGET_SPENT, StopReason.STOPPED_EARLY) and told
        return f"{subject.reason}: {told if by_rule else CONSEQUENCES[StopReason(subject.reason)].text}"
    return subject.state


def moments(subjects: Sequence[Subject]) -> list[int]:
    """Seconds of training at which to read the quality: the last few that the longest job has reached."""
    longest = max((s.history.hours for s in subjects), default=0.0) * _HOUR
    reached = [at for at in _LADDER if at <= longest]
    if longest >= 4 * _HOUR:  # the paper's own
        reached = [at for at in reached if at >= 4 * _HOUR]
    return reached[-_COLUMNS:]


def moment_text(seconds: int) -> str:
    """`hour 4`, `minute 5`, `second 20`."""
    for unit, length in (("hour", _HOUR), ("minute", _MINUTE)):
        if seconds >= length:
            return f"{unit} {seconds // length}"
    return f"second {seconds}"


def at_moments(subject: Subject, seconds: Sequence[int], metric: str = "val/psnr") -> list[float | str]:
    """The newest value of a metric at each; `ended` where it had ended, `-` where there was none (yet)."""
    beyond = "ended" if subject.reason in _LAST else "-"
    found: list[float | str] = []
    for at in seconds:
        hours = at / _HOUR
        value = subject.history.at_hours(metric, hours)
        found.append(value if value is not None else beyond if hours > subject.history.hours else "-")
    return found
