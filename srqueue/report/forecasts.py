"""What was forecast of a run on its way, beside what it came to."""

from __future__ import annotations

from collections.abc import Sequence

from srqueue.forecast.bands import Band
from srqueue.forecast.told import Told, plus_minus
from srqueue.report.subject import Subject
from srqueue.report.tables import Table, moment, number

_SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Of the run's length: of each the last forecast before is shown."""


def forecasts(subject: Subject) -> Table | None:
    """A row for a few of them; None for a run of which nothing was forecast."""
    far = subject.history.iteration  # of a rung that it went on from, its end was not the run's
    whole = [raw for raw in subject.forecasts if (raw.get("until") or far) >= far]
    told = [one for raw in whole if (one := Told.of({"forecast": raw})) is not None]
    if not told:
        return None
    over = bool(subject.reason)
    psnr = subject.best("psnr") if over else None
    ended = subject.tries[-1].ended if over and subject.tries else None
    rows = [
        [
            f"{one.iteration:,}", f"{plus_minus(one.psnr, 3)}" if one.psnr else "-", number(psnr, 3),
            _verdict(one.psnr, psnr), moment(one.end.middle) if one.end else "-",
            f"{one.end.half / 60:.1f}" if one.end else "-", moment(ended), _verdict(one.end, ended),
        ]
        for one in _chosen(told, subject.history.iteration)
    ]  # fmt: skip
    columns = (
        "at iteration", "PSNR forecast (dB)", "came to", "in the 80 % band", "end forecast (UTC)", "± min",
        "ended (UTC)", "in the 80 % band",
    )  # fmt: skip
    return Table("Forecasts on the way", columns, rows, frozenset({0, 1, 2, 5}))


def _chosen(told: Sequence[Told], iterations: int) -> list[Told]:
    """The last before each share of the way, none twice."""
    found: dict[int, Told] = {}
    for share in _SHARES:
        before = [one for one in told if one.iteration <= share * iterations]
        if before:
            found[before[-1].iteration] = before[-1]
    return list(found.values()) or [told[-1]]


def _verdict(band: Band | None, value: float | None) -> str:
    if band is None or value is None:
        return "-"
    return "yes" if band.low <= value <= band.high else "above" if value > band.high else "below"
