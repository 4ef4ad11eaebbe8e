"""The report as one HTML file that asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from srqueue.errors import UsageError
from srqueue.report import tables
from srqueue.report.comparable import remarks
from srqueue.report.differences import spec_rows
from srqueue.report.forecasts import forecasts
from srqueue.report.plots import drawings, marks_of
from srqueue.report.provenance import provenance
from srqueue.report.subject import Crop, Subject
from srqueue.report.tables import Table

MOST_DRAWN = 40
"""Jobs whose curves are drawn; tables have all."""
MOST_PICTURED = 8
"""Jobs whose pictures are in the file."""


@dataclass(frozen=True)
class Lead:
    """What a campaign's report says before its jobs. `more`: tables that stand last; `fronts`: Pareto plots;
    `detailed`: how many of the jobs, the first ones, have a section of their own."""

    sentence: str
    facts: Sequence[str]
    remarks: Sequence[str]
    tables: Sequence[Table]
    more: Sequence[Table]
    fronts: Sequence[dict[str, Any]]
    detailed: int


def installed() -> bool:
    """Whether reports can be made here."""
    return find_spec("plotly") is not None and find_spec("jinja2") is not None


def page(subjects: Sequence[Subject], title: str, lead: Lead | None = None) -> str:
    """The HTML. Raises UsageError where the extra `report` is not installed."""
    if not installed():
        raise UsageError("a report needs plotly and jinja2", hint="pip install 'srqueue[report]'")
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("srqueue.report"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    plotly, script = _plotly(), _text("report.js")
    return environment.get_template("report.html").render(
        title=title,
        made=tables.moment(time.time()),
        policy=_policy(plotly, script),
        lead=lead,
        remarks=[*(lead.remarks if lead else remarks(subjects)), *_left_out(subjects)],
        tables=lead.tables if lead else _tables(subjects),
        jobs=[_job(s, index) for index, s in enumerate(subjects[: lead.detailed] if lead else subjects)],
        data=_data(subjects) | {"fronts": list(lead.fronts) if lead else []},
        # Ours, and from the installed package: the only texts that are not escaped.
        plotly=_Ours(plotly), script=_Ours(script), style=_Ours(_text("report.css")),
    )  # fmt: skip


class _Ours(str):
    """A text that jinja2 takes as it is."""

    def __html__(self) -> str:
        return str(self)


def _tables(subjects: Sequence[Subject]) -> list[tables.Table]:
    found = [tables.results(subjects), tables.quality_over_time(subjects), tables.differences(subjects)]
    return [table for table in found if table is not None]


def _of_one(subject: Subject) -> list[tables.Table | None]:
    made = (tables.pictures, tables.attempts, forecasts, tables.figures)
    return [make(subject) for make in made]


def _job(subject: Subject, index: int) -> dict[str, Any]:
    return {
        "subject": subject,
        "headline": _headline(subject),
        "tables": [table for table in _of_one(subject) if table],
        "spec": spec_rows(subject),
        "provenance": provenance(subject),
        "crops": len(subject.gallery.crops) if index < MOST_PICTURED else 0,
        "sheet": _uri(subject.gallery.sheet) if subject.gallery.sheet and index < MOST_PICTURED else None,
    }


def _headline(subject: Subject) -> list[tuple[str, str]]:
    gain = subject.gain
    rows = [
        ("state", subject.state),
        ("PSNR on Y", tables.number(subject.best("psnr"), 2) + " dB"),
        ("over bicubic", "-" if gain is None else f"{gain:+.2f} dB"),
        ("SSIM on Y", tables.number(subject.best("ssim"), 4)),
        ("inference", _pace(subject)),
        ("iterations", f"{subject.history.iteration:,} of {subject.total_iter:,}"),
        ("trained", tables.hours(subject.history.hours)),
    ]
    return [(label, value) for label, value in rows if not value.startswith("-")]


def _pace(subject: Subject) -> str:
    scores = subject.scores
    if scores is None or scores.ms_per_megapixel is None:
        return "-"
    return f"{scores.ms_per_megapixel:.4g} ms a megapixel"


def _data(subjects: Sequence[Subject]) -> dict[str, Any]:
    """What the script draws."""
    drawn = subjects[:MOST_DRAWN]
    return {
        "jobs": [s.label for s in drawn],
        "plots": drawings(drawn),
        "marks": [marks_of(s) for s in drawn],
        "pictures": [[_crop(c) for c in s.gallery.crops] for s in subjects[:MOST_PICTURED]],
    }


def _crop(crop: Crop) -> dict[str, Any]:
    return {
        "name": crop.name, "bicubic": _uri(crop.bicubic), "original": _uri(crop.original),
        "iterations": list(crop.model), "model": [_uri(png) for png in crop.model.values()],
    }  # fmt: skip


def _left_out(subjects: Sequence[Subject]) -> list[str]:
    found = [f"{s.label}: {remark}." for s in subjects for remark in s.remarks]
    if len(subjects) > MOST_DRAWN:
        found.append(
            f"Curves are drawn of the first {MOST_DRAWN} of {len(subjects)} jobs; the tables have all."
        )
    if sum(bool(s.gallery.crops or s.gallery.sheet) for s in subjects[MOST_PICTURED:]):
        found.append(f"Pictures are here of the first {MOST_PICTURED} of {len(subjects)} jobs.")
    return found


def _policy(*scripts: str) -> str:
    """A browser that keeps to it loads nothing, sends nothing, and runs these scripts only."""
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


@cache
def _text(name: str) -> str:
    return files("srqueue.report").joinpath("templates", name).read_text(encoding="utf-8")


def _plotly() -> str:
    """plotly's script out of the installed package; plotly itself is not imported, which would take long."""
    text = files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
    # What would end the script element ends no string of it when it is written so.
    return text.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")
