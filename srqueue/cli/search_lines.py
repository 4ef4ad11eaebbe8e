"""How the rungs of a campaign's searches are printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from srqueue.campaign.search.spec import SearchSpec
    from srqueue.campaign.spec import CampaignSpec
    from srqueue.store.campaigns import CampaignRecord, Campaigns
    from srqueue.store.searches import Contender
    from srqueue.store.store import Store

COLUMNS = ("STAGE", "RUNG", "TRIALS", "WENT ON", "STOPPED", "BEST", "CELL")
_DIGITS = {"val/ssim": 4}


def rungs(store: Store, campaigns: Campaigns, record: CampaignRecord) -> list[dict[str, Any]]:
    """For each rung of each stage how many came, went on and were stopped, and the best there."""
    from srqueue.queue.searching import searched_stages
    from srqueue.store.searches import Searches

    stages = searched_stages(record.spec)
    if not stages:
        return []
    cells = campaigns.cells(record.name)
    found = []
    for stage, search in stages.items():
        labels = {cell.job_id: _label(cell.axes) for cell in cells if cell.stage == stage}
        known = Searches(store.connection).contenders(sorted(labels))
        found += _of_stage(stage, search, known, labels)
    return found


def drawn_later(campaign: CampaignSpec) -> Iterator[str]:
    """What is said of stages whose cells are not known yet."""
    for name, stage in campaign.stages.items():
        if (search := stage.search) and search.asked:
            yield (
                f"stage {name}: {search.trials} cells are drawn while it runs ({search.sampler}), "
                "by a worker that has Optuna (extra `search`)"
            )


def undrawn(store: Store, campaigns: Campaigns, record: CampaignRecord) -> Iterator[str]:
    """How many cells are still to be drawn, and by whom; and which trials became none."""
    from srqueue.queue.drawing import undrawn
    from srqueue.store.drawn import Drawn

    for why, number in Drawn(store.connection, record.name).reasons().items():
        yield f"{number} of the drawn trials became no cell: {why}"
    if record.state == "ended":
        return
    for stage, number in undrawn(store, campaigns, record).items():
        if number:
            cells = "1 cell" if number == 1 else f"{number} cells"
            yield f"to be drawn, {cells} of stage {stage}: by a worker that has Optuna (extra `search`)"


def _of_stage(
    stage: str, search: SearchSpec, known: Sequence[Contender], labels: Mapping[str, str]
) -> list[dict[str, Any]]:
    from srqueue.queue.searching import figure, rungs_of

    rows = []
    for rung in rungs_of(known, search):
        at = {one.id: figure(one.at[rung], search) for one in known if rung in one.at}
        stay = [one for one in known if one.id in at and one.at_rung and one.until == rung]
        stopped = sum(one.stopped for one in stay)
        numbers = {"went_on": len(at) - len(stay), "stopped": stopped}
        rows.append(_row(stage, search, rung, at, labels) | numbers)
    ended = {one.id: figure(one.metrics, search) for one in known if one.state == "succeeded"}
    return [*rows, _row(stage, search, "end", ended, labels) | {"went_on": None, "stopped": None}]


def _row(
    stage: str, search: SearchSpec, rung: int | str, at: Mapping[str, float], labels: Mapping[str, str]
) -> dict[str, Any]:
    best = max(at, key=lambda job: at[job], default=None)
    return {
        "stage": stage, "rung": rung, "metric": search.metric, "trials": len(at), "job": best,
        "best": None if best is None else at[best], "cell": None if best is None else labels[best],
    }  # fmt: skip


def row(rung: Mapping[str, Any]) -> list[str]:
    """A rung in the table."""
    best = "-" if rung["best"] is None else f"{rung['best']:.{_DIGITS.get(rung['metric'], 2)}f}"
    where = rung["rung"] if isinstance(rung["rung"], str) else f"{rung['rung']:,}"
    numbers = ["-" if rung[key] is None else str(rung[key]) for key in ("trials", "went_on", "stopped")]
    cell = "-" if rung["job"] is None else f"{rung['cell']} ({rung['job'][-6:].lower()})"
    return [rung["stage"], where, *numbers, best, cell]


def _label(axes: Mapping[str, Any]) -> str:
    from srqueue.campaign.cells import Cell

    return Cell("", dict(axes), {}, ()).label or "-"
