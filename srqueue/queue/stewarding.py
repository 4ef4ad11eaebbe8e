"""What happens to campaigns by itself: held cells begin, dependants are woken, ends are noted.

Every worker's sweeper does it, and each worker after each job. Each step is one script that looks at what is
there, so that any number may do it at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from srqueue.errors import ServiceUnreachable, SrqueueError
from srqueue.queue.budgets import enforce
from srqueue.queue.cell_jobs import STAGE, full
from srqueue.queue.drawing import undrawn
from srqueue.queue.searching import search
from srqueue.run.reasons import JobState
from srqueue.store.campaigns import VAIN, CampaignRecord, Campaigns
from srqueue.store.record import Bell, JobRecord
from srqueue.store.searches import Searches
from srqueue.store.store import Store

log = logging.getLogger(__name__)

_UNDONE = (JobState.HELD, JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)
Counts = Mapping[JobState, int]
_ROUNDS = 20
"""Of some hundred cells each; what is left comes with the next look."""


def tend(store: Store, ended: Callable[[CampaignRecord], None] = lambda _: None) -> list[Bell]:
    """One look at every campaign that has not ended; whom to ring for. One that cannot be read harms none.

    `ended`: called for each whose end (or stop) is noted here, by nobody else.
    """
    campaigns = Campaigns(store.connection)
    bells: list[Bell] = []
    for record in campaigns.open():
        try:
            bells += _tend_one(store, campaigns, record, ended)
        except ServiceUnreachable:
            raise
        except (SrqueueError, ValueError) as error:
            log.warning("campaign %s is left as it is: %s", record.name, str(error).splitlines()[0])
    return bells


def _tend_one(
    store: Store, campaigns: Campaigns, record: CampaignRecord, ended: Callable[[CampaignRecord], None]
) -> Sequence[Bell]:
    if record.state == "submitting":
        return ()
    # Before the counts: what is drawn in between is in both, and not in neither.
    left = undrawn(store, campaigns, record) if record.state in ("active", "paused") else {}
    counts = campaigns.counts(record.name)
    halts = bool(counts[JobState.FAILED]) and record.spec.get("on_failure") == "stop"
    bells: list[Bell] = []
    if record.state == "active" and not halts and (begun := search(store, campaigns, record, left)):
        # What goes on from a rung stands before what begins, and before the end.
        bells, counts = begun, campaigns.counts(record.name)
    resting = Searches(store.connection).stopped(record.name)
    undone = sum(counts[state] for state in _UNDONE) - resting
    if not undone and not any(left.values()):
        if campaigns.end(record.name):
            ended(campaigns.find(record.name) or record)
        return ()
    spent, concluded = enforce(store, campaigns, record)
    if not spent and record.state == "active" and halts:
        number = counts[JobState.FAILED]
        told = f"{number} cell{'s' if number > 1 else ''} failed, and on_failure is stop"
        campaigns.set(record.name, state="stopped", message=told)
    elif not spent and record.state == "active":
        bells += _begun(store, campaigns, record, counts, left)
        counts = campaigns.counts(record.name)
        still = not _moves(counts) and counts[JobState.PAUSED] <= resting and not any(left.values())
        _note_vain(campaigns, record, vain=still and campaigns.waits_in_vain(record.name))
    _tell_of_a_stop(campaigns, record.name, counts, ended)
    return [*bells, *concluded]


def _begun(
    store: Store, campaigns: Campaigns, record: CampaignRecord, counts: Counts, left: Mapping[str, int]
) -> list[Bell]:
    """Lets held cells begin."""
    bells: list[Bell] = []
    most = _most(store, record, counts)
    for _ in range(_ROUNDS):
        looked_at = _look_at_the_due(store, campaigns, record, left)
        begun = campaigns.release(record.name, most)
        bells += begun
        if not (looked_at or begun):
            break
    return bells


def _moves(counts: Counts) -> bool:
    return bool(counts[JobState.QUEUED] or counts[JobState.RUNNING])


def _note_vain(campaigns: Campaigns, record: CampaignRecord, *, vain: bool) -> None:
    """That nothing of it can begin, until somebody tries again what failed; or that this is over."""
    if vain and not record.in_vain:
        campaigns.set(record.name, **{VAIN: "1"}, message="what its held cells wait for did not succeed")
    elif record.in_vain and not vain:
        campaigns.set(record.name, state="active", message="", **{VAIN: ""})


def _tell_of_a_stop(
    campaigns: Campaigns, name: str, counts: Counts, ended: Callable[[CampaignRecord], None]
) -> None:
    """Somebody waits for the verdict, also where not all of it came about."""
    if not _moves(counts) and campaigns.stop_told(name) and (stopped := campaigns.find(name)):
        ended(stopped)


def _most(store: Store, record: CampaignRecord, counts: Counts) -> int | None:
    """How many of its jobs may wait or run. Of a search no more wait than there are workers: who goes on from
    a rung is to find one."""
    if "moved" not in record.more:
        return record.max_parallel
    few = counts[JobState.RUNNING] + max(1, len(store.workers()))
    return few if record.max_parallel is None else min(few, record.max_parallel)


def _look_at_the_due(
    store: Store, campaigns: Campaigns, record: CampaignRecord, left: Mapping[str, int]
) -> int:
    """How many were looked at. `left`: cells of stages that are still to be drawn."""
    name = record.name
    ids, woken = campaigns.due(name)
    if not ids:
        return 0
    held = store.many(ids)
    stages = {one.removeprefix(STAGE) for record in held for one in record.after if one.startswith(STAGE)}
    standing = {
        stage: (still + left.get(stage, 0), won)
        for stage, (still, won) in campaigns.standing(name, stages).items()
    }
    parents = {one for record in held for one in record.after if not one.startswith(STAGE)}
    known = {record.id: record for record in store.many(sorted(parents))}
    there = {record.id for record in held}
    free = full(record.max_parallel) if record.max_parallel else ""
    looked_at = [(cell.id, *verdict(cell, standing, known)) for cell in held]
    verdicts = [(i, may, free if may else why) for i, may, why in looked_at]
    verdicts += [(i, False, "") for i in ids if i not in there]  # removed meanwhile
    campaigns.admit(name, woken, verdicts)
    return len(ids)


def verdict(
    held: JobRecord, standing: Mapping[str, tuple[int, int]], known: Mapping[str, JobRecord]
) -> tuple[bool, str]:
    """Whether a held cell may begin, and what it waits for.

    `standing`: (cells that have not ended, cells that succeeded) of stages; `known`: jobs by id.
    """
    for one in held.after:
        if one.startswith(STAGE):
            stage = one.removeprefix(STAGE)
            still, won = standing.get(stage, (0, 0))
            if still:
                return False, f"waits for stage {stage}"
            if not won:
                return False, f"stage {stage} has ended, and no cell of it succeeded"
    parents = [known[one] for one in held.after if one in known]
    wanted = [one for one in held.after if not one.startswith(STAGE)]
    if not wanted:
        return True, ""
    if undone := [p for p in parents if not (p.state.final or p.stopped)]:
        others = f" and {len(undone) - 1} more" if len(undone) > 1 else ""
        return False, f"waits for the model of {undone[0].name} ({undone[0].short_id}){others}"
    if not any(p.state is JobState.SUCCEEDED for p in parents):
        why = f": {parents[0].name} ({parents[0].short_id}) is {parents[0].state}" if parents else ""
        return False, f"none of the jobs whose model it starts from succeeded{why}"
    return True, ""
