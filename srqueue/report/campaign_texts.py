"""A campaign's verdict for other programs: CSV, JSON, Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping

from srqueue.campaign.verdict import flat
from srqueue.campaign.verdict.judge import Verdict
from srqueue.report import campaign_tables
from srqueue.report.subject import Subject
from srqueue.report.texts import csv_of, markdown_of


def as_csv(verdict: Verdict) -> str:
    """A cell a line, every figure to its last digit."""
    rows = flat.rows(verdict)
    return csv_of(list(rows[0]) if rows else [], [list(row.values()) for row in rows])


def as_json(verdict: Verdict, name: str, subjects: Mapping[str, Subject]) -> str:
    """Everything but curves and pictures."""
    tables = [campaign_tables.bought(board, subjects) for board in verdict.boards]
    bought = [
        {"caption": table.caption, "columns": table.columns, "rows": table.rows} for table in tables if table
    ]
    return json.dumps({"campaign": name, **flat.whole(verdict), "bought": bought}, indent=2) + "\n"


def as_markdown(verdict: Verdict, subjects: Mapping[str, Subject]) -> str:
    """The sentence, remarks and tables."""
    return markdown_of(
        [verdict.sentence], verdict.remarks, campaign_tables.campaign_tables(verdict, subjects)
    )
