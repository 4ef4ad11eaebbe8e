"""How the stages of a campaign stand, and why cells are held."""

from __future__ import annotations

from typing import Any

from srqueue.run.reasons import JobState
from srqueue.store.campaigns import CampaignRecord, Campaigns
from srqueue.store.names import states_of
from srqueue.store.reader import Reader

_LOOKED_AT = 200
_REASONS = 10


def stages(store: Reader, campaigns: Campaigns, record: CampaignRecord) -> list[dict[str, Any]]:
    """For each stage of the file how many of its cells are in which state."""
    cells = campaigns.cells(record.name)
    state_of = states_of(store.connection, [cell.job_id for cell in cells], None)
    found: dict[str, dict[str, Any]] = {}
    for name, stage in record.spec["stages"].items():
        first = [stage["start_from"]] if stage.get("start_from") else []
        counts = dict.fromkeys(map(str, JobState), 0)
        found[name] = {"stage": name, "after": [*stage.get("after", ()), *first], "cells": 0, "jobs": counts}
    for cell in cells:
        if (stage := found.get(cell.stage)) and (state := state_of.get(cell.job_id)):
            stage["cells"] += 1
            stage["jobs"][str(state)] += 1
    return list(found.values())


def held_for(store: Reader, name: str) -> tuple[list[tuple[str, int]], int]:
    """(why, how many cells) of those that are held, the most first; how many more there are."""
    total = store.count([JobState.HELD], campaign=name)
    reasons: dict[str, int] = {}
    for record in store.list([JobState.HELD], _LOOKED_AT, campaign=name):
        why = record.message or "its turn has not come"
        reasons[why] = reasons.get(why, 0) + 1
    told = sorted(reasons.items(), key=lambda item: -item[1])[:_REASONS]
    return told, max(0, total - sum(number for _, number in told))
