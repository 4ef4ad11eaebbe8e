"""Files that a campaign leaves: its report, and the winner's model with a card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from srqueue.campaign.verdict import flat
from srqueue.campaign.verdict.entry import Entry
from srqueue.campaign.verdict.judge import Verdict
from srqueue.errors import SrqueueError, UsageError
from srqueue.report.campaign_page import campaign_page, findings
from srqueue.report.stored import folder_here
from srqueue.run.atomic import write_file
from srqueue.settings import Settings
from srqueue.store.campaigns import CampaignRecord
from srqueue.store.reader import Reader
from srqueue.store.record import JobRecord

_CARD_VERSION = 1


def write_report(store: Reader, settings: Settings, record: CampaignRecord, out: Path | None = None) -> Path:
    """Writes the HTML; where it is. Raises SrqueueError, OSError."""
    target = out or settings.campaign_report(record.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_file(target, campaign_page(findings(store, record)).encode())
    return target


def export_winner(store: Reader, name: str, verdict: Verdict, out: Path) -> tuple[Path, Path]:
    """Copies the winner's model to a folder or file that is not there yet, and a card beside it.

    Raises UsageError where there is no winner, its run folder is elsewhere, or a file would be overwritten.
    """
    winner = verdict.winner
    if winner is None:
        raise UsageError(f"campaign {name} has no winner: nothing was measured yet", where=name)
    record = store.get(winner.id)
    model = _model(record)
    target = out / model.name if out.is_dir() or not out.suffix else out
    card = target.with_suffix(".json")
    for file in (target, card):
        if file.exists():
            raise UsageError("the file is there already", where=str(file), hint="choose another")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with model.open("rb") as source, target.open("xb") as copy:
            shutil.copyfileobj(source, copy)
        write_file(card, (json.dumps(card_of(name, verdict, winner, record), indent=2) + "\n").encode())
    except OSError as error:
        raise SrqueueError(f"cannot write the model: {error.strerror}", where=str(target)) from None
    return target, card


def card_of(name: str, verdict: Verdict, winner: Entry, record: JobRecord) -> dict[str, Any]:
    """What the model is, how good, and where it comes from."""
    (row,) = [row for row in flat.rows(verdict) if row["job"] == winner.id]
    return {
        "v": _CARD_VERSION, "campaign": name, "verdict": verdict.sentence, "remarks": list(verdict.remarks),
        **row, "spec_id": record.spec_id, "metrics": record.metrics, "spec": record.spec,
    }  # fmt: skip


def _model(record: JobRecord) -> Path:
    run = folder_here(record)
    if run is None:
        raise UsageError(
            f"the winner's run folder is not on this machine: {record.name} {record.short_id} is on "
            f"{record.host or 'another'}",
            where=str(record.run_dir or ""),
            hint="export it there",
        )
    found = sorted(run.export.glob("*.safetensors"), key=lambda file: file.stat().st_mtime)
    if not found:
        raise UsageError("the winner has exported no model yet", where=str(run.export))
    return found[-1]
