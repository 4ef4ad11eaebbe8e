"""Reports for other programs: CSV, JSON, Markdown."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from srqueue.report import tables
from srqueue.report.comparable import remarks
from srqueue.report.differences import spec_differences
from srqueue.report.provenance import provenance
from srqueue.report.results import Result, at_moments, moments, result
from srqueue.report.subject import Subject

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(subjects: Sequence[Subject]) -> str:
    """The results and the quality over time, a job a line."""
    at = moments(subjects)
    head = [*(f.name for f in dataclasses.fields(Result)), *(f"psnr_at_{seconds}_s" for seconds in at)]
    rows = [[*dataclasses.astuple(result(subject)), *at_moments(subject, at)] for subject in subjects]
    return csv_of(head, rows)


def csv_of(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as CSV, safe to open in a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def as_json(subjects: Sequence[Subject]) -> str:
    """Everything but curves and pictures."""
    at = moments(subjects)
    jobs = [
        {
            **dataclasses.asdict(result(s)),
            "spec_id": s.spec_id,
            "message": s.message,
            "metrics": dict(s.figures),
            "psnr_at_seconds": dict(zip(map(str, at), at_moments(s, at), strict=True)),
            "attempts": [dataclasses.asdict(t) for t in s.tries],
            "provenance": dict(provenance(s)),
            "remarks": list(s.remarks),
        }
        for s in subjects
    ]
    differing = dict(spec_differences(subjects)) if len(subjects) > 1 else {}
    return json.dumps({"remarks": remarks(subjects), "jobs": jobs, "differences": differing}, indent=2) + "\n"


def as_markdown(subjects: Sequence[Subject]) -> str:
    """Remarks and tables."""
    found = [tables.results(subjects), tables.quality_over_time(subjects), tables.differences(subjects)]
    told = [*remarks(subjects), *(f"{s.label}: {remark}." for s in subjects for remark in s.remarks)]
    return markdown_of((), told, [table for table in found if table])


def markdown_of(lines: Sequence[str], told: Sequence[str], found: Sequence[tables.Table]) -> str:
    """Paragraphs, remarks as quotes, tables."""
    parts = [*(_inline(line) for line in lines), *(f"> {_inline(remark)}" for remark in told)]
    return "\n\n".join([*parts, *(_markdown(table) for table in found)]) + "\n"


def _markdown(table: tables.Table) -> str:
    rule = ["---:" if i in table.numeric else "---" for i in range(len(table.columns))]
    head, *rows = [[_inline(cell) for cell in row] for row in (table.columns, *table.rows)]
    lines = ["| " + " | ".join(row) + " |" for row in (head, rule, *rows)]
    return f"**{table.caption}**\n\n" + "\n".join(lines)


def _inline(text: str) -> str:
    """On one line, without what Markdown or HTML would take for its own."""
    flat = " ".join(text.split())
    for character in ("\\", "|", "`", "*", "_", "[", "]"):
        flat = flat.replace(character, "\\" + character)
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is one no more."""
    if isinstance(value, str) and value.startswith(_FORMULA) and value != "-":
        return "'" + value
    return value
