"""What came out of the cells of a campaign: out of records, scores and run folders, to be judged."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any

from srqueue.campaign.cells import cell_of
from srqueue.campaign.expanding import PRESET
from srqueue.campaign.spec import CampaignSpec, StageSpec
from srqueue.campaign.verdict.entry import Entry, trained_on, validated_on, validation_text
from srqueue.campaign.verdict.judge import Verdict, judge
from srqueue.run.scores import Scores, read_scores
from srqueue.store.campaigns import Campaigns, StoredCell
from srqueue.store.reader import Reader
from srqueue.store.record import JobRecord
from srqueue.store.run_folders import run_of
from srqueue.store.scores import stored_scores

_AT_ONCE = 500


def verdict_on(store: Reader, name: str) -> Verdict:
    """The verdict on a campaign as it stands. Raises UsageError for one that came from no file."""
    Campaigns(store.connection).get(name)
    return judge(entries(store, name))


def entries(store: Reader, name: str) -> tuple[Entry, ...]:
    """Every cell of a campaign, in the order in which they were queued."""
    campaigns = Campaigns(store.connection)
    cells = {cell.job_id: cell for cell in campaigns.cells(name)}
    record = campaigns.find(name)
    stages = CampaignSpec.model_validate(record.spec).stages if record else {}
    found = [entry for some in _parts(sorted(cells)) for entry in _entries(store, cells, stages, some)]
    return tuple(found)


def _entries(
    store: Reader, cells: Mapping[str, StoredCell], stages: Mapping[str, StageSpec], ids: list[str]
) -> Iterator[Entry]:
    known = stored_scores(store.connection, ids)
    for record in store.many(ids):
        cell = cells[record.id]
        scores = known.get(record.id) or _here(record)
        yield entry_of(record, cell, scores, _choices(record, cell, stages.get(cell.stage)))


def _choices(record: JobRecord, cell: StoredCell, stage: StageSpec | None) -> dict[str, Any]:
    """Its preset, data set and network, out of whichever part of the file says them."""
    said = cell_of(cell.stage, stage, "", cell.axes).choices if stage else {}
    told = {"preset": said.get("preset", PRESET)} if stage else {}
    network = (record.spec.get("network_g") or {}).get("type")
    return {**told, "dataset": trained_on(record.spec)[0], "arch": said.get("arch") or network}


def entry_of(record: JobRecord, cell: StoredCell, scores: Scores | None, choices: Mapping[str, Any]) -> Entry:
    """One cell. While it trains, what it has reached so far."""
    figures: Mapping[str, Any] = {**record.progress, **record.metrics}
    return Entry(
        id=record.id, name=record.name, stage=cell.stage, axes=cell.axes, choices=choices,
        seed=int(record.spec.get("manual_seed") or 0), state=str(record.state),
        reason=str(record.reason or ""), message=record.message or "",
        psnr=_figure(figures, "best/psnr", "best_psnr"), ssim=_figure(figures, "best/ssim", "ssim"),
        bicubic_psnr=_figure(figures, "bicubic/psnr", "bicubic_psnr"), seconds=_figure(figures, "seconds"),
        iterations=record.iteration, total_iter=record.total_iter, data=trained_on(record.spec),
        validated=validated_on(record.spec), validated_text=validation_text(record.spec), scores=scores,
    )  # fmt: skip


def _here(record: JobRecord) -> Scores | None:
    """Those of a run folder on this machine: Redis may have lost them."""
    if not record.metrics or record.host not in (None, socket.gethostname()):
        return None
    run = run_of(record)
    return read_scores(run) if run else None


def _figure(figures: Mapping[str, Any], *keys: str) -> float | None:
    return next((float(figures[key]) for key in keys if isinstance(figures.get(key), int | float)), None)


def _parts(ids: list[str]) -> Iterator[list[str]]:
    yield from (ids[i : i + _AT_ONCE] for i in range(0, len(ids), _AT_ONCE))
