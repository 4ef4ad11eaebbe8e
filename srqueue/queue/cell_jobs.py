"""From the cells of a stage to jobs: held until their campaign lets them begin, with their rungs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from srqueue.campaign.planning import started_from
from srqueue.campaign.spec import CampaignSpec
from srqueue.datasets import Registry
from srqueue.queue.placing import Submitter, new_jobs
from srqueue.queue.stops import Settling
from srqueue.spec.expand import Expanded
from srqueue.store.new import NewJob

STAGE = "stage:"


def cell_jobs(
    registry: Registry, campaign: CampaignSpec, name: str, cells: Sequence[Expanded],
    parents: Sequence[Sequence[str]], settling: Settling, submitter: Submitter,
) -> list[NewJob]:  # fmt: skip
    """Of one stage. `parents`: for each cell the jobs of which the best one's model it begins with."""
    stage = campaign.stages[name]
    begins_with = parents or [()] * len(cells)
    whole = [
        started_from(cell, jobs, stage.start_from or "") if jobs else cell
        for cell, jobs in zip(cells, begins_with, strict=True)
    ]
    jobs = new_jobs(registry, whole, campaign.priority, settling, submitter)
    stages = tuple(f"{STAGE}{other}" for other in stage.after)
    search = stage.search
    rungs = search.rungs_below(jobs[0].total_iter) if search and jobs else ()
    asked = search is not None and search.asked
    if not (stages or stage.start_from or campaign.max_parallel is not None or rungs or asked):
        return jobs
    waits = stages or stage.start_from
    message = "waits for others to end" if waits else full(campaign.max_parallel)
    return [
        replace(job, held_by=campaign.name, after=(*stages, *own), message=message, rungs=rungs)
        for job, own in zip(jobs, begins_with, strict=True)
    ]


def full(max_parallel: int | None) -> str:
    """What a cell waits for that may begin."""
    if max_parallel is None:
        return "it begins when a worker is free for it"
    return f"at most {max_parallel} of its cells wait or run at a time"
