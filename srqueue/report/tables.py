"""The tables of a report, as texts in rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from srqueue.report.differences import spec_differences
from srqueue.report.results import Result, at_moments, moment_text, moments, result, stop_reason
from srqueue.report.subject import Subject

_MOST_MESSAGE = 500
_MOST_PICTURES = 10


@dataclass(frozen=True)
class Table:
    """`numeric`: indices of columns that are numbers, for their alignment."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[int] = frozenset()


RESULT_COLUMNS = (
    "job", "preset", "network", "iterations", "hours", "PSNR (dB)", "SSIM", "gain over bicubic (dB)",
    "stop reason", "validated on",
)  # fmt: skip


def results(subjects: Sequence[Subject]) -> Table:
    """What came out of each job."""
    rows = [_result_row(s, result(s)) for s in subjects]
    return Table("What came out of each job", RESULT_COLUMNS, rows, frozenset(range(3, 8)))


def quality_over_time(subjects: Sequence[Subject]) -> Table:
    """The paper's table, convenience against fidelity, from what was measured."""
    at = moments(subjects)
    columns = (
        "job", "preset", "hours", "iterations", "PSNR (dB)", "SSIM", "stop reason",
        *(f"PSNR at {moment_text(seconds)}" for seconds in at),
    )  # fmt: skip
    rows = []
    for subject in subjects:
        row = result(subject)
        figures = [f"{v:.2f}" if isinstance(v, float) else v for v in at_moments(subject, at)]
        head = [subject.label, row.preset or "-", hours(row.hours), f"{row.iterations:,}"]
        rows.append([*head, number(row.psnr, 2), number(row.ssim, 4), stop_reason(subject), *figures])
    numeric = frozenset({2, 3, 4, 5, *range(7, len(columns))})
    return Table("Convenience against fidelity: quality over the hours of training", columns, rows, numeric)


def differences(subjects: Sequence[Subject]) -> Table | None:
    """Where the specs differ; None for one job, or where they do not."""
    rows = spec_differences(subjects) if len(subjects) > 1 else []
    if not rows:
        return None
    columns = ("value", *(s.label for s in subjects))
    return Table("Differences between the specs", columns, [[path, *values] for path, values in rows])


def attempts(subject: Subject) -> Table | None:
    """The attempts of a job; None where there were none."""
    if not subject.tries:
        return None
    rows = [
        [
            str(t.token), ", ".join(filter(None, [t.where, t.device])), moment(t.begun),
            hours((t.ended - t.begun) / 3600) if t.ended and t.begun else "-",
            f"{t.from_iteration:,}", "-" if t.iteration is None else f"{t.iteration:,}",
            ": ".join(filter(None, [t.reason, t.message[:_MOST_MESSAGE]])) or "not ended",
        ]
        for t in subject.tries
    ]  # fmt: skip
    columns = ("attempt", "where", "begun (UTC)", "took", "from", "to", "ended")
    return Table("Attempts", columns, rows, frozenset({0, 3, 4, 5}))


def figures(subject: Subject) -> Table | None:
    """Every figure that the run left, by metric key; those of each validation set are among them."""
    shown = {k: v for k, v in subject.figures.items() if not k.startswith("best/iteration")}
    if not shown:
        return None
    rows = [[key, _figure(key, value)] for key, value in sorted(shown.items())]
    return Table("Figures", ("metric", "value"), rows, frozenset({1}))


def pictures(subject: Subject) -> Table | None:
    """Its validation pictures one by one, the worst first; None where nobody measured them."""
    if subject.scores is None or not subject.scores.pictures:
        return None
    worst = sorted(subject.scores.pictures, key=lambda p: (p.psnr_y, p.name))
    rows = [
        [
            p.name, number(p.psnr_y, 2), f"{p.psnr_y - p.bicubic_psnr_y:+.2f}", number(p.ssim_y, 4),
            number(p.psnr_rgb, 2), number(p.bicubic_psnr_y, 2),
        ]
        for p in worst[:_MOST_PICTURES]
    ]  # fmt: skip
    columns = ("picture", "PSNR (dB)", "over bicubic (dB)", "SSIM", "PSNR on RGB (dB)", "bicubic (dB)")
    count = subject.scores.count
    shown = f"the worst {len(rows)} of {count}" if count > len(rows) else "the worst first"
    return Table(f"Validation pictures, {shown}", columns, rows, frozenset(range(1, 6)))


def hours(value: float) -> str:
    """Hours for a person: `12.4 h`, `5 min 20 s`, `42 s`."""
    seconds = value * 3600
    if value >= 1:
        return f"{value:.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


def number(value: float | None, digits: int) -> str:
    """A figure, or `-`."""
    return "-" if value is None else f"{value:.{digits}f}"


def moment(at: float | None) -> str:
    """A time, UTC, to the second."""
    return "-" if at is None else time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))


def _result_row(subject: Subject, row: Result) -> list[str]:
    iterations = f"{row.iterations:,}" + (
        f" of {row.total_iter:,}" if row.total_iter > row.iterations else ""
    )
    gain = "-" if row.gain is None else f"{row.gain:+.2f}"
    return [
        subject.label, row.preset or "-", row.network, iterations, hours(row.hours), number(row.psnr, 2),
        number(row.ssim, 4), gain, stop_reason(subject), row.validated_on,
    ]  # fmt: skip


def _figure(key: str, value: float) -> str:
    if "psnr" in key:
        return f"{value:.3f} dB"
    return f"{value:.4f}" if "ssim" in key else f"{value:g}"
