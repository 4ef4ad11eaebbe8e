"""Several trainings beside each other: a table on a terminal, a line where something changed elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from srqueue.cli.output import duration, number, wish_text
from srqueue.forecast.told import Told

if TYPE_CHECKING:
    from srqueue.store.record import JobRecord

COLUMNS = ("ID", "NAME", "STATE", "DONE", "IT/S", "ETA", "PSNR", "GAIN", "AT THE END", "TREND", "WORKER")
TREND = 16
"""Characters of a curve."""


def gain(record: JobRecord) -> float | None:
    """The newest PSNR over what interpolation reaches, dB; of an ended job the best."""
    psnr, base = psnr_of(record), record.progress.get("bicubic_psnr", record.metrics.get("bicubic/psnr"))
    return None if psnr is None or base is None else psnr - base


def psnr_of(record: JobRecord) -> float | None:
    """The newest PSNR, dB; of an ended job the best."""
    best = record.metrics.get("best/psnr") if record.state.final else None
    found: float | None = best if best is not None else record.progress.get("psnr")
    return found


def eta(record: JobRecord) -> str:
    """Time left, with its interval where one was forecast; `-` where nothing is known."""
    told = Told.of(record.progress)
    return (told and told.left(time.time())) or duration(record.progress.get("eta_s"))


def at_the_end(record: JobRecord) -> str:
    """The PSNR that is forecast, `31.42 ± 0.06 dB`, or `-`."""
    told = Told.of(record.progress)
    return (told and told.quality()) or "-"


def cells(record: JobRecord, trend: str) -> list[str]:
    """One row of the table."""
    running, wish = record.state == "running", wish_text(record)
    share = record.iteration / record.total_iter if record.total_iter else 0.0
    values = {"psnr": psnr_of(record), "gain": gain(record)}
    state = str(record.progress.get("phase") or record.state) if running else str(record.state)
    return [
        record.short_id,
        record.name,
        wish or state,
        f"{share:4.0%} {record.iteration}/{record.total_iter}",
        number(record.progress, "it_s", ".1f") if running else "-",
        eta(record) if running else "-",
        number(values, "psnr"),
        number(values, "gain", "+.2f"),
        at_the_end(record) if running else "-",
        trend,
        (record.worker or "-") if running else "-",
    ]


def line(record: JobRecord) -> str:
    """One job in a line: `cc0 1a2b3c   running   it 120/300   52.1 it/s   ETA 3s   PSNR 31.22 dB (+1.12)`"""
    parts = [f"{record.name} {record.short_id}", wish_text(record) or str(record.state)]
    parts.append(f"it {record.iteration}/{record.total_iter}")
    if record.state == "running":
        parts.append(number(record.progress, "it_s", ".1f", " it/s"))
        parts.append(f"ETA {eta(record)}")
    psnr, above = psnr_of(record), gain(record)
    if psnr is not None:
        parts.append(f"PSNR {psnr:.2f} dB" + (f" ({above:+.2f})" if above is not None else ""))
    if record.state == "running" and (end := at_the_end(record)) != "-":
        parts.append(f"at the end {end}")
    if record.state.final and record.state != "succeeded" and record.message:
        parts.append(record.message.splitlines()[0])
    return "   ".join(parts)


def counts_text(counts: Mapping[Any, int]) -> str:
    """`2 running, 5 queued, 1 failed`"""
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)


def drawing(rows: Sequence[Sequence[str]], below: str) -> Any:
    """The table as something that rich draws."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    right = ("IT/S", "ETA", "PSNR", "GAIN", "AT THE END")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(_plain(cell)) for cell in row))
    return Group(table, Text(below)) if below else table


def _plain(cell: str) -> str:
    return "".join(c if c.isprintable() else " " for c in cell)
