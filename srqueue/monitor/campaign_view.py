"""Campaigns: their matrix of networks over presets and data sets, and who leads."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from srqueue.monitor.cards import best_psnr, by_name, card, what_it_is
from srqueue.monitor.refusals import NotThere
from srqueue.run.reasons import JobState
from srqueue.store.overview import count_campaigns, figures
from srqueue.store.record import JobRecord
from srqueue.store.store import Store

LISTED = 50
LOOKED_AT = 200
"""Newest ended jobs of a campaign that its best PSNR in the list is of."""
MATRIX = 1000
"""Newest jobs of a campaign that are in its matrix."""
LEADERS = 200
_KEEP_S = 10.0

# What a cell shows where its jobs are in several states: the first of these.
_FIRST = (
    JobState.RUNNING, JobState.SUCCEEDED, JobState.PAUSED, JobState.HELD, JobState.QUEUED, JobState.FAILED,
    JobState.CANCELLED,
)  # fmt: skip


class Bests:
    """The best PSNR of each campaign, looked up anew every ten seconds at most."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, float | None]] = {}

    def of(self, store: Store, name: str) -> float | None:
        """dB; None where nothing was validated."""
        now = time.monotonic()
        if name not in self._known or now - self._known[name][0] > _KEEP_S:
            keys = [store.keys.campaign(name, s) for s in (JobState.SUCCEEDED, JobState.RUNNING)]
            rows = [row for key in keys for row in figures(store.connection, key, LOOKED_AT).values()]
            self._known[name] = now, max(filter(None, map(best_psnr, rows)), default=None)
        return self._known[name][1]


def campaigns(store: Store, bests: Bests) -> list[dict[str, Any]]:
    """The largest campaigns."""
    found = store.campaigns(LISTED)
    counts = count_campaigns(store.connection, [name for name, _ in found])
    return [
        {
            "name": name, "jobs": jobs, "counts": {str(s): n for s, n in counts[name].items()},
            "best_psnr": bests.of(store, name),
        }
        for name, jobs in found
    ]  # fmt: skip


def campaign(store: Store, name: str) -> dict[str, Any]:
    """Matrix and leaderboard. Raises NotThere."""
    counts = count_campaigns(store.connection, [name])[name]
    total = sum(counts.values())
    if not total:
        raise NotThere(f"there is no campaign {name!r}", hint="see the list of jobs")
    records = store.list(limit=MATRIX, campaign=name)
    matrix = _matrix(records)
    devices = by_name(store.workers())
    leaders = sorted(records, key=lambda r: (_best(r) is None, -(_best(r) or 0.0)))[:LEADERS]
    note = f"the newest {MATRIX:,} of {total:,} jobs" if total > len(records) else None
    return {
        "name": name, "counts": {str(s): n for s, n in counts.items()}, **matrix,
        "leaderboard": [card(r, devices) for r in leaders], "note": note,
    }  # fmt: skip


def _matrix(records: Iterable[JobRecord]) -> dict[str, Any]:
    places: dict[tuple[str, str], list[JobRecord]] = {}
    for record in records:
        what = what_it_is(record)
        row = " · ".join(filter(None, [what["preset"] or "own spec", what["dataset"]]))
        places.setdefault((row, f"{what['arch'] or '?'} x{record.spec.get('scale', '?')}"), []).append(record)
    return {
        "rows": sorted({row for row, _ in places}),
        "columns": sorted({column for _, column in places}),
        "cells": [
            {"row": row, "column": column, **_cell(jobs)} for (row, column), jobs in sorted(places.items())
        ],
    }  # fmt: skip


def _cell(jobs: Sequence[JobRecord]) -> dict[str, Any]:
    """The job with the best PSNR, else the one that has come farthest in the order of _FIRST."""
    best = max(jobs, key=lambda r: (_best(r) is not None, _best(r) or 0.0, -_FIRST.index(r.state)))
    state = min((r.state for r in jobs), key=_FIRST.index)
    return {"id": best.id, "state": str(state), "psnr": _best(best), "jobs": len(jobs)}


def _best(record: JobRecord) -> float | None:
    return best_psnr({**record.progress, **record.metrics})
