"""How campaigns are printed: rows of tables, lines of facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from srqueue.cli.output import ago, duration
from srqueue.run.reasons import JobState

if TYPE_CHECKING:
    from srqueue.campaign.planning import Planned
    from srqueue.store.campaigns import CampaignRecord
    from srqueue.store.store import Store

COLUMNS = ("NAME", "STATE", "CELLS", "DONE", "RUNNING", "WAITING", "FAILED", "SPENT", "SUBMITTED")
STAGE_COLUMNS = ("STAGE", "CELLS", "SUCCEEDED", "RUNNING", "WAITING", "FAILED", "AFTER")
PLAN_COLUMNS = ("STAGE", "CELL", "JOB", "ITERATIONS", "BEGINS WITH")
_WAITING = (JobState.HELD, JobState.QUEUED, JobState.PAUSED)
_BAD = (JobState.FAILED, JobState.CANCELLED)

Counts = Mapping[JobState, int]


def summary(record: CampaignRecord, counts: Counts) -> dict[str, Any]:
    """A campaign for JSON."""
    return {
        "name": record.name, "state": record.state, "message": record.message, "file": record.file,
        "cells": record.cells, "jobs": {str(s): n for s, n in counts.items()}, "created": record.created,
        "updated": record.updated, "ended": record.ended, "spent_s": record.spent_s,
        "budget": record.spec.get("budget") or [], "spent_kwh": float(record.more.get("spent_kwh") or 0.0),
    }  # fmt: skip


def row(record: CampaignRecord, counts: Counts) -> list[str]:
    """A campaign in the list."""
    return [
        record.name, record.state, str(record.cells), str(counts[JobState.SUCCEEDED]),
        str(counts[JobState.RUNNING]), str(sum(counts[s] for s in _WAITING)),
        str(sum(counts[s] for s in _BAD)), duration(record.spent_s), ago(record.created),
    ]  # fmt: skip


def facts(record: CampaignRecord, counts: Counts) -> Iterator[str]:
    """What stands above its stages."""
    told = f" ({record.message})" if record.message else ""
    yield f"campaign {record.name}: {record.state}{told}"
    if description := record.spec.get("description"):
        yield str(description)
    known = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
    yield f"jobs: {known or 'none'}; {duration(record.spent_s)} of training so far"
    kwh = float(record.more.get("spent_kwh") or 0.0)
    if budget := record.spec.get("budget"):
        so_far = f"; {kwh:.3g} kWh so far" if kwh else ""
        yield f"budget: {', '.join(budget)}, whichever is spent first{so_far}"
    elif kwh:
        yield f"energy: {kwh:.3g} kWh so far"
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
        sum(jobs[s] for s in _BAD),
    ]  # fmt: skip
    return [stage["stage"], *map(str, numbers), ", ".join(stage["after"]) or "-"]


def held(store: Store, name: str) -> Iterator[str]:
    """Why cells are held, those for one reason in one line."""
    from srqueue.queue.standing import held_for

    reasons, beyond = held_for(store, name)
    for why, number in reasons:
        yield f"held, {number} cell{'' if number == 1 else 's'}: {why}"
    if beyond:
        yield f"held, {beyond:,} more that were not looked at"


def plan_row(planned: Planned) -> list[str]:
    """A cell of a dry run."""
    spec = planned.expanded.spec
    parents = len(planned.parents)
    start = "-" if not parents else "its parent's model" if parents == 1 else f"the best of {parents}"
    return [planned.cell.stage, planned.cell.label, spec.name, f"{spec.train.total_iter:,}", start]


def planned(planned: Planned) -> dict[str, Any]:
    """The same for JSON."""
    from srqueue.spec.job import spec_id

    spec = planned.expanded.spec
    return {
        "stage": planned.cell.stage, "axes": planned.cell.axes, "name": spec.name, "parents": planned.parents,
        "spec_id": spec_id(spec), "spec": spec.model_dump(mode="json"), "origins": planned.expanded.origins,
    }  # fmt: skip
