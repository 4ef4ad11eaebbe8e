"""The report of a campaign: what it is made of, and the HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srqueue.campaign.verdict.groups import Board
from srqueue.campaign.verdict.judge import Verdict, judge
from srqueue.campaign.verdict.pareto import COSTS, points
from srqueue.counting import counted, span
from srqueue.queue.outcomes import entries
from srqueue.report.campaign_tables import campaign_tables, cells_table
from srqueue.report.page import MOST_DRAWN, MOST_PICTURED, Lead, page
from srqueue.report.stored import from_store
from srqueue.report.subject import Subject
from srqueue.store.campaigns import CampaignRecord
from srqueue.store.reader import Reader

_WINNERS = 4
"""Groups whose best cell is shown with its pictures."""


@dataclass(frozen=True)
class CampaignFindings:
    """What a report says. `subjects`: the jobs whose curves are drawn, by id, the winners first."""

    record: CampaignRecord
    verdict: Verdict
    subjects: Mapping[str, Subject]
    winners: int


def findings(store: Reader, record: CampaignRecord) -> CampaignFindings:
    """The verdict, and the curves of the leading groups. Raises ServiceUnreachable."""
    verdict = judge(entries(store, record.name))
    winners = _winners(verdict)
    leading = [c.id for board in verdict.boards for group in board.measured for c in group.measured]
    ids = list(dict.fromkeys([*winners, *leading]))[:MOST_DRAWN]
    known = {job.id: job for job in store.many(ids)}
    subjects = {i: from_store(store, known[i], pictures=i in winners) for i in ids if i in known}
    return CampaignFindings(record, verdict, subjects, sum(i in subjects for i in winners))


def campaign_page(found: CampaignFindings) -> str:
    """The HTML. Raises UsageError where the extra `report` is not installed."""
    verdict, record = found.verdict, found.record
    drawn, measured = len(found.subjects), sum(e.psnr is not None for e in verdict.entries)
    remarks = list(verdict.remarks)
    if drawn < measured:
        remarks.append(f"Curves are drawn of the leading {drawn} of {measured} cells; the tables have all.")
    lead = Lead(
        sentence=verdict.sentence,
        facts=[text for text in (str(record.spec.get("description") or ""), _state(record)) if text],
        remarks=remarks,
        tables=campaign_tables(verdict, found.subjects),
        more=[cells_table(verdict)],
        fronts=fronts(verdict.boards),
        detailed=found.winners,
    )
    return page(list(found.subjects.values()), f"Campaign {record.name}", lead)


def fronts(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """Pareto plots as JSON values: {title, on, cost, points: [{name, cost, quality, sd, front}]}."""
    found = []
    for board in boards:
        for cost, what in COSTS.items():
            some = points(board.measured, cost)
            if len(some) > 1:
                found.append({
                    "title": f"PSNR against {what}", "on": board.validated, "cost": what,
                    "points": [
                        {"name": p.group.label, "cost": p.cost, "quality": p.quality, "sd": p.group.sd or 0,
                         "front": p.front}
                        for p in some
                    ],
                })  # fmt: skip
    return found


def _winners(verdict: Verdict) -> list[str]:
    """The best cells of the leading groups, board by board."""
    each = max(1, min(_WINNERS, MOST_PICTURED // max(1, len(verdict.boards))))
    leading = [group.best for board in verdict.boards for group in board.measured[:each]]
    return [best.id for best in leading if best is not None][:MOST_PICTURED]


def _state(record: CampaignRecord) -> str:
    told = f", {record.message}" if record.message else ""
    spent = f"; its attempts took {span(record.spent_s)} in all" if record.spent_s else ""
    return f"{record.state}{told}; {counted(record.cells, 'cell')}{spent}"
