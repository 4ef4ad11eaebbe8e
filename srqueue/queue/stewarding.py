"""What happens to campaigns by itself: held cells begin, dependants are woken, ends are noted.

Every worker's sweeper does it, and each worker after each job. Each step is one script that looks at what is
there, so that any number may do it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from srqueue.run.reasons import JobState
from srqueue.store.campaigns import CampaignRecord, Campaigns
from srqueue.store.record import Bell, JobRecord
from srqueue.store.store import Store

_UNDONE = (JobState.HELD, JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)
STAGE = "stage:"
_ROUNDS = 20
"""Of some hundred cells each; what is left comes with the next look."""


def tend(store: Store, ended: Callable[[CampaignRecord], None] = lambda _: None) -> list[Bell]:
    """One look at every campaign that has not ended; whom to ring for.

    `ended`: called for each whose end is noted here, by nobody else.
    """
    campaigns = Campaigns(store.connection)
    return [bell for record in campaigns.open() for bell in _tend_one(store, campaigns, record, ended)]


def _tend_one(
    store: Store, campaigns: Campaigns, record: CampaignRecord, ended: Callable[[CampaignRecord], None]
) -> Sequence[Bell]:
    if record.state == "submitting":
        return ()
    counts = campaigns.counts(record.name)
    if not any(counts[state] for state in _UNDONE):
        if campaigns.end(record.name):
            ended(campaigns.find(record.name) or record)
        return ()
    if record.state != "active":
        return ()
    if counts[JobState.FAILED] and record.spec.get("on_failure") == "stop":
        number = counts[JobState.FAILED]
        told = f"{number} cell{'s' if number > 1 else ''} failed, and on_failure is stop"
        campaigns.set(record.name, state="stopped", message=told)
        return ()
    bells: list[Bell] = []
    for _ in range(_ROUNDS):
        looked_at = _look_at_the_due(store, campaigns, record)
        begun = campaigns.release(record.name, record.max_parallel)
        bells += begun
        if not (looked_at or begun):
            break
    return bells


def _look_at_the_due(store: Store, campaigns: Campaigns, record: CampaignRecord) -> int:
    """How many were looked at."""
    name = record.name
    ids = campaigns.due(name)
    if not ids:
        return 0
    held = store.many(ids)
    stages = {one.removeprefix(STAGE) for record in held for one in record.after if one.startswith(STAGE)}
    standing = campaigns.standing(name, stages)
    parents = {one for record in held for one in record.after if not one.startswith(STAGE)}
    known = {record.id: record for record in store.many(sorted(parents))}
    there = {record.id for record in held}
    free = full(record.max_parallel) if record.max_parallel else ""
    looked_at = [(cell.id, *verdict(cell, standing, known)) for cell in held]
    verdicts = [(i, may, free if may else why) for i, may, why in looked_at]
    verdicts += [(i, False, "") for i in ids if i not in there]  # removed meanwhile
    campaigns.admit(name, verdicts)
    return len(ids)


def full(max_parallel: int) -> str:
    """What a cell waits for that may begin."""
    return f"at most {max_parallel} of its cells wait or run at a time"


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
    if undone := [p for p in parents if not p.state.final]:
        others = f" and {len(undone) - 1} more" if len(undone) > 1 else ""
        return False, f"waits for the model of {undone[0].name} ({undone[0].short_id}){others}"
    if not any(p.state is JobState.SUCCEEDED for p in parents):
        why = f": {parents[0].name} ({parents[0].short_id}) is {parents[0].state}" if parents else ""
        return False, f"none of the jobs whose model it starts from succeeded{why}"
    return True, ""
