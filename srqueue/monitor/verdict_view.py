"""What a campaign from a file shows beside its matrix: stages, verdict, and what can be done."""

from __future__ import annotations

import threading
import time
from typing import Any

from srqueue.campaign.verdict import flat
from srqueue.campaign.verdict.groups import Board
from srqueue.campaign.verdict.judge import Verdict
from srqueue.campaign.verdict.pareto import COSTS, Point, points
from srqueue.errors import UsageError
from srqueue.monitor.refusals import Malformed, NotThere
from srqueue.queue.campaigns import CampaignClient
from srqueue.queue.client import Client
from srqueue.queue.outcomes import verdict_on
from srqueue.queue.standing import held_for, stages
from srqueue.run.reasons import JobState
from srqueue.store.campaigns import CampaignRecord, Campaigns
from srqueue.store.store import Store

ACTS = ("pause", "resume", "cancel", "retry")
SHOWN = 100
"""Groups of a leaderboard on the page; the report has all."""
_KEEP_S = 10.0
_KEPT = 20
_REST = 10
_DONE = {
    "pause": "no cell begins any more; those that run save a checkpoint and pause",
    "resume": "it goes on",
    "cancel": "no cell begins any more; those that run export their best weights and end",
}


class Verdicts:
    """The newest verdict on each campaign that is looked at.

    It is made anew every ten seconds at most, and takes a tenth of the time of one thread at most, however
    many cells there are and however many look on.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Verdict]] = {}  # monotonic s until which it is taken
        self._making = threading.Lock()

    def of(self, store: Store, name: str) -> Verdict:
        """Raises UsageError for a campaign that came from no file."""
        with self._making:
            known, began = self._known.get(name), time.monotonic()
            if known is not None and began < known[0]:
                return known[1]
            verdict = verdict_on(store, name)
            took = time.monotonic() - began
            while len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            self._known[name] = (began + max(_KEEP_S, _REST * took), verdict)
            return verdict


def from_file(store: Store, verdicts: Verdicts, name: str) -> dict[str, Any] | None:
    """None for a campaign that is but a name on its jobs."""
    campaigns = Campaigns(store.connection)
    record = campaigns.find(name)
    if record is None:
        return None
    verdict = verdicts.of(store, name)
    reasons, beyond = held_for(store, name)
    return {
        "state": record.state, "message": record.message,
        "description": record.spec.get("description") or "",
        "max_parallel": record.max_parallel, "cells": record.cells, "spent_s": record.spent_s,
        "stages": stages(store, campaigns, record),
        "held": [{"why": why, "cells": number} for why, number in reasons], "held_more": beyond,
        "verdict": verdict.sentence, "remarks": list(verdict.remarks), "boards": _boards(verdict),
        "acts": possible(record, campaigns.counts(name)),
    }  # fmt: skip


def possible(record: CampaignRecord, counts: dict[JobState, int]) -> list[str]:
    """What can be done with it as it is."""
    again = ["retry"] if counts[JobState.FAILED] or counts[JobState.CANCELLED] else []
    by_state = {
        "active": ["pause", "cancel"], "paused": ["resume", "cancel"], "stopped": ["cancel"],
    }  # fmt: skip
    open_ = by_state.get(record.state, [])
    return open_ + (again if record.state != "submitting" else [])


def act(client: Client, name: str, verb: str) -> str:
    """What came of it. Raises SrqueueError where it does not fit the campaign's state."""
    verbs = CampaignClient(client)
    if verb not in ACTS:
        raise Malformed(f"there is no act {verb!r}")
    if verbs.records.find(name) is None:
        raise NotThere(f"there is no campaign {name!r} that came from a file", hint="act on its jobs")
    if verb == "retry":
        again = verbs.retry(name)
        if not again:
            raise UsageError(f"no cell of campaign {name} has failed or was cancelled")
        return f"{again} cell{'' if again == 1 else 's'} to be tried again"
    getattr(verbs, verb)(name)
    return _DONE[verb]


def _boards(verdict: Verdict) -> list[dict[str, Any]]:
    pairs = zip(verdict.boards, flat.boards(verdict), strict=True)
    return [_board(board, told) for board, told in pairs]


def _board(board: Board, told: dict[str, Any]) -> dict[str, Any]:
    leader = board.measured[0].label if board.measured else None
    against = {pair["other"]: pair for pair in told["comparisons"] if pair["better"] == leader}
    groups = told["groups"][:SHOWN]
    return {
        "validated_on": told["validated_on"],
        "groups": [{**_without_jobs(group), "against": against.get(group["group"])} for group in groups],
        "more": max(0, len(told["groups"]) - SHOWN),
        "fronts": [
            {"cost": what, "points": [_point(point) for point in points(board.measured, cost)]}
            for cost, what in COSTS.items()
        ],
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "group": point.group.label, "cost": point.cost, "psnr": point.quality, "sd": point.group.sd,
        "front": point.front,
    }  # fmt: skip


def _without_jobs(group: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key != "jobs"}
