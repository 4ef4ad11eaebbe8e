"""How listings and records are printed: tables for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from srqueue.run.outcome import first_line as first_line  # for the commands

if TYPE_CHECKING:
    from srqueue.store.record import JobRecord


def print_json(value: Any) -> None:
    """Prints indented JSON; dataclasses become mappings, paths and enums strings."""
    print(json.dumps(value, indent=2, default=_plain))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints aligned columns; the last one may be long."""
    lines = [[_one_line(cell) for cell in row] for row in [columns, *rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        print("  ".join(cells).rstrip())


def say(text: str) -> None:
    """A word beside the result: to stderr, so that stdout can be piped."""
    print(text, file=sys.stderr, flush=True)


def wish_text(record: JobRecord) -> str | None:
    """What a job is asked for and has not done yet: `pause asked`, `yields to cc0 1a2b3c (priority 9)`."""
    if record.wish == "preempt":
        return f"yields to {record.yields_to or 'a job of higher priority'}"
    return f"{record.wish} asked" if record.wish else None


def job_summary(record: JobRecord) -> dict[str, Any]:
    """A job for a listing: the record without its spec."""
    return {key: value for key, value in job_dict(record).items() if key not in ("spec", "origins")}


def job_dict(record: JobRecord) -> dict[str, Any]:
    """A job as a mapping that JSON can hold."""
    return dataclasses.asdict(record)


def duration(seconds: float | None) -> str:
    """A time span a person reads at a glance: 42s, 3m 05s, 2h 07m, 1d 04h."""
    if seconds is None:
        return "-"
    whole = max(0, round(seconds))
    for unit, above, below, small in (("d", 86400, 3600, "h"), ("h", 3600, 60, "m"), ("m", 60, 1, "s")):
        if whole >= above:
            return f"{whole // above}{unit} {whole % above // below:02d}{small}"
    return f"{whole}s"


def ago(moment: float | None) -> str:
    """How long ago a UTC time (seconds) was."""
    return "-" if moment is None else f"{duration(time.time() - moment)} ago"


def number(values: Mapping[str, Any], key: str, spec: str = ".2f", unit: str = "") -> str:
    """A formatted value of a mapping, or `-` where it is missing."""
    value = values.get(key)
    return "-" if not isinstance(value, int | float) else f"{value:{spec}}{unit}"


def printable(text: str) -> str:
    """`text` without what could steer a terminal; line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def _one_line(cell: str) -> str:
    return "".join(c if c.isprintable() else " " for c in cell)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)
