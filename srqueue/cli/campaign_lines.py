"""How campaigns are printed: rows of tables, lines of facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from srqueue.cli.output import ago, duration
from srqueue.counting import kwh_text
from srqueue.run.reasons import JobState

if TYPE_CHECKING:
    from srqueue.campaign.planning import Planned
    from srqueue.forecast.running import RunForecast
    from srqueue.store.campaigns import CampaignRecord
    from srqueue.store.connection import Connection
    from srqueue.store.store import Store

COLUMNS = (
    "NAME",
    "STATE",
    "CELLS",
    "DONE",
    "RUNNING",
    "WAITING",
    "STOPPED",
    "FAILED",
    "SPENT",
    "SUBMITTED",
    "ENDS",
)
STAGE_COLUMNS = ("STAGE", "CELLS", "SUCCEEDED", "RUNNING", "WAITING", "CANCELLED", "FAILED", "AFTER")
PLAN_COLUMNS = ("STAGE", "CELL", "JOB", "ITERATIONS", "BEGINS WITH", "TAKES", "PSNR AT THE END")
_WAITING = (JobState.HELD, JobState.QUEUED, JobState.PAUSED)

Counts = Mapping[JobState, int]


def summary(record: CampaignRecord, counts: Counts) -> dict[str, Any]:
    """A campaign for JSON."""
    return {
        "name": record.name, "state": record.state, "message": record.message, "file": record.file,
        "cells": record.cells, "jobs": {str(s): n for s, n in counts.items()}, "created": record.created,
        "updated": record.updated, "ended": record.ended, "spent_s": record.spent_s,
        "budget": record.spec.get("budget") or [], "spent_kwh": float(record.more.get("spent_kwh") or 0.0),
    }  # fmt: skip


def row(record: CampaignRecord, counts: Counts, ends: str = "-", at_rungs: int = 0) -> list[str]:
    """A campaign in the list. `ends`: when, as a text; `at_rungs`: how many a search has stopped there."""
    return [
        record.name, state(record), str(record.cells), str(counts[JobState.SUCCEEDED]),
        str(counts[JobState.RUNNING]), str(sum(counts[s] for s in _WAITING) - at_rungs),
        str(counts[JobState.CANCELLED] + at_rungs), str(counts[JobState.FAILED]),
        duration(record.spent_s), ago(record.created), ends,
    ]  # fmt: skip


def state(record: CampaignRecord) -> str:
    """Its state; where nothing of it can begin any more, that."""
    return "stands still" if record.state == "active" and record.in_vain else record.state


def facts(record: CampaignRecord, counts: Counts) -> Iterator[str]:
    """What stands above its stages."""
    told = f" ({record.message})" if record.message else ""
    yield f"campaign {record.name}: {state(record)}{told}"
    if description := record.spec.get("description"):
        yield str(description)
    known = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
    yield f"jobs: {known or 'none'}; its attempts took {duration(record.spent_s)} in all"
    kwh = float(record.more.get("spent_kwh") or 0.0)
    if budget := record.spec.get("budget"):
        so_far = f"; {kwh_text(kwh)} so far" if kwh else ""
        yield f"budget: {', '.join(budget)}, whichever is spent first{so_far}"
    elif kwh:
        yield f"energy: {kwh_text(kwh)} so far; what of it is estimated: srqueue show JOB"
    if record.max_parallel:
        yield f"at most {record.max_parallel} wait or run at a time"
    if record.file:
        yield f"from {record.file}"
    if record.state == "submitting":
        yield "not all of its cells are queued, and none is let go: srqueue campaign submit, once more"


def stage_row(stage: Mapping[str, Any]) -> list[str]:
    """A stage in the table."""
    jobs = stage["jobs"]
    numbers = [
        stage["cells"], jobs["succeeded"], jobs["running"], sum(jobs[s] for s in _WAITING),
        jobs["cancelled"], jobs["failed"],
    ]  # fmt: skip
    return [stage["stage"], *map(str, numbers), ", ".join(stage["after"]) or "-"]


def held(store: Store, record: CampaignRecord) -> Iterator[str]:
    """Why cells are held, those for one reason in one line."""
    from srqueue.queue.standing import held_for

    if record.state in ("paused", "stopped"):
        if number := store.count([JobState.HELD], campaign=record.name):
            yield f"held, {number:,} cell{'' if number == 1 else 's'}: the campaign is {record.state}"
        return
    reasons, beyond = held_for(store, record.name)
    for why, number in reasons:
        yield f"held, {number} cell{'' if number == 1 else 's'}: {why}"
    if beyond:
        yield f"held, {beyond:,} more"


def plan_row(planned: Planned, found: RunForecast) -> list[str]:
    """A cell of a dry run, with what it will take and reach as far as earlier jobs tell."""
    from srqueue.cli.forecast_lines import spec_row

    spec = planned.expanded.spec
    parents = len(planned.parents)
    start = "-" if not parents else "its parent's model" if parents == 1 else f"the best of {parents}"
    _, iterations, takes, psnr, *_ = spec_row(spec.name, found)
    return [planned.cell.stage, planned.cell.label, spec.name, iterations, start, takes, psnr]


def ends_of(connection: Connection, records: Sequence[CampaignRecord]) -> dict[str, str]:
    """When those that go on will have ended, by name; where none does, the queue is not looked at."""
    import time

    from srqueue.cli.forecast_lines import end_text
    from srqueue.forecast.told import clock
    from srqueue.queue.outlook import campaign_ends
    from srqueue.store.store import Store

    names = [r.name for r in records if r.state in ("active", "submitting") and not r.in_vain]
    if not names:
        return {}
    now = time.time()
    found = campaign_ends(Store(connection), names, now)
    return {
        name: f"not before {clock(now + one.end.low, now)}" if one.to_rung
        else f"{end_text(one.end, now)}{', its budget spent' if one.unpaid else ''}"
        for name, one in found.items()
    }  # fmt: skip


def end(store: Store, record: CampaignRecord) -> Iterator[str]:
    """When the jobs of a campaign will have ended, as far as that is known, and whether its budget lasts."""
    import time

    from srqueue.cli.budget_lines import budget_remarks
    from srqueue.cli.forecast_lines import total
    from srqueue.queue.outlook import of_campaign

    if record.state not in ("active", "submitting") or record.in_vain:
        return
    found = of_campaign(store, record.name, now := time.time())
    if found.end is not None:
        yield total("its", found, now)
    yield from budget_remarks([b for b in found.budgets if b.campaign == record.name], now)


def planned(planned: Planned, found: RunForecast) -> dict[str, Any]:
    """The same for JSON."""
    from srqueue.cli.forecast_lines import spec_dict
    from srqueue.spec.job import spec_id

    spec = planned.expanded.spec
    return {
        "stage": planned.cell.stage, "axes": planned.cell.axes, "name": spec.name, "parents": planned.parents,
        "spec_id": spec_id(spec), "spec": spec.model_dump(mode="json"), "origins": planned.expanded.origins,
        "forecast": spec_dict(spec.name, found),
    }  # fmt: skip
