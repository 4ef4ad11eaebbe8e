"""What a search does by itself: jobs at their rungs go on, or are stopped there.

Any number of workers may do it at once: what was read decides what is wanted, and each script looks whether
the job still stands where it stood.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from srqueue.campaign.search.asha import Decision, Place, Standing, Trial, decide
from srqueue.campaign.search.spec import SearchSpec
from srqueue.campaign.spec import StageSpec
from srqueue.run.events import Event
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.campaigns import CampaignRecord, Campaigns
from srqueue.store.record import Bell
from srqueue.store.searches import Contender, Searches
from srqueue.store.store import Store

KEPT = ("val/psnr", "val/ssim", "val/psnr_rgb")
"""What is kept of a validation at a rung: all that a search may compare by."""

_BEGUN = (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED, JobState.SUCCEEDED)
_FAILED = (JobState.FAILED, JobState.CANCELLED)
_NO_CELL = "stopped: the campaign's file has it no more"


def searched_stages(spec: Mapping[str, object]) -> dict[str, SearchSpec]:
    """The stages of a campaign, as it is stored, whose cells are compared at rungs."""
    raw = spec.get("stages")
    stages = {name: StageSpec.model_validate(s) for name, s in raw.items()} if isinstance(raw, dict) else {}
    return {name: s.search for name, s in stages.items() if s.search and s.search.method != "none"}


def search(store: Store, campaigns: Campaigns, record: CampaignRecord, left: Mapping[str, int]) -> list[Bell]:
    """One look at the searches of a campaign, where a job has changed since the last; whom to ring for.

    `left`: how many cells of its stages are still to be drawn.
    """
    moved = record.more.get("moved", "")
    if not moved or moved == record.more.get("looked"):
        return []
    searches = Searches(store.connection)
    bells: list[Bell] = []
    whole = True
    stages = searched_stages(record.spec)
    cells = campaigns.cells(record.name)
    held_ids = set(campaigns.ids(record.name, (JobState.HELD,)))  # first: who begins meanwhile is in both
    begun_ids = set(campaigns.ids(record.name, _BEGUN))
    for stage, asked in stages.items():
        mine = {cell.job_id for cell in cells if cell.stage == stage}
        known = [filled(store, searches, c, asked) for c in searches.contenders(sorted(mine & begun_ids))]
        # Those that have not begun are thousands, and all that counts is whether there are any.
        more = bool(left.get(stage)) or not mine.isdisjoint(held_ids)
        decision = judged(known, asked, more=more)
        begun = searches.promote(record.name, record.max_parallel, decision.promoted)
        bells += begun
        whole = whole and len(begun) == len(decision.promoted)  # else there was no room for some
        searches.stop(record.name, _stopped(known, decision))
    paused = set(campaigns.ids(record.name, (JobState.PAUSED,))) - {cell.job_id for cell in cells}
    strays = [one for one in searches.contenders(sorted(paused)) if one.at_rung and not one.stopped]
    searches.stop(record.name, [(one.id, one.until, _NO_CELL) for one in strays])
    if whole:
        searches.looked(record.name, moved)
    return bells


def judged(known: Sequence[Contender], asked: SearchSpec, *, more: bool) -> Decision:
    """Who goes on and who does not. `more`: whether others have not begun yet."""
    rungs = rungs_of(known, asked)
    if asked.method == "none" or not rungs:
        return Decision((), ())
    trials = [trial_of(one, asked, rungs) for one in known if one.state not in _FAILED]
    trials += [Trial("", Standing.NEW, {})] if more else []
    return decide(trials, rungs, asked.one_of, asked.method)


def rungs_of(known: Sequence[Contender], asked: SearchSpec) -> tuple[int, ...]:
    """The rungs of these jobs, which are of one length."""
    return asked.rungs_below(known[0].total_iter) if known else ()


def trial_of(one: Contender, asked: SearchSpec, rungs: Sequence[int]) -> Trial:
    """A job as its search sees it. One that ended early counts at the rungs beyond with its last value; one
    that a budget cut short was not measured there, and does not.
    """
    values = {rung: figure(one.at[rung], asked) for rung in rungs if rung in one.at}
    if one.state is JobState.SUCCEEDED and one.reason == StopReason.BUDGET_SPENT:
        return Trial(one.id, Standing.OVER, values)
    if one.state is JobState.SUCCEEDED:
        return Trial(one.id, Standing.OVER, {**dict.fromkeys(rungs, figure(one.metrics, asked)), **values})
    if one.at_rung:
        there = {rung: figure(one.metrics, asked) for rung in rungs if rung == one.until}
        return Trial(one.id, Standing.WAITS, {**there, **values})
    return Trial(one.id, Standing.NEW if one.state is JobState.HELD else Standing.GOING, values)


def figure(metrics: Mapping[str, float], asked: SearchSpec) -> float:
    """What it is compared by; what was no finite number is worse than all."""
    return float(metrics.get(asked.metric, float("-inf")))


def filled(store: Store, searches: Searches, one: Contender, asked: SearchSpec) -> Contender:
    """With what its history says of rungs that nobody noted: it was trained before, without a search."""
    missing = {rung for rung in asked.rungs_below(one.total_iter) if rung <= one.iteration} - one.at.keys()
    if not missing or one.state in _FAILED:
        return one
    found = dict(one.at)
    for event in _validations(store, one.id):
        if event.it in missing:
            found[event.it] = kept(event.data)
            searches.note(one.id, None, event.it, found[event.it])
    return replace(one, at=found)


def kept(data: Mapping[str, object]) -> dict[str, float]:
    """The metrics of a validation by which jobs are compared."""
    return {key: float(value) for key in KEPT if isinstance(value := data.get(key), int | float)}


def _validations(store: Store, job_id: str) -> list[Event]:
    found: list[Event] = []
    after = "0-0"
    while lines := store.events(job_id, after):
        after = lines[-1][0]
        for _, line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                found.append(Event.parse(line))
    return [event for event in found if event.kind == "val"]


def _stopped(known: Sequence[Contender], decision: Decision) -> list[tuple[str, int | None, str]]:
    """Those of whom it was not said yet."""
    by_id = {one.id: one for one in known}
    found: list[tuple[str, int | None, str]] = []
    for job_id, place in decision.stopped:
        one = by_id[job_id]
        if not one.stopped:
            found.append((job_id, one.until, told(place, one.total_iter)))
    return found


def told(place: Place, total_iter: int) -> str:
    """`stopped at 1,000 of 9,000 iterations: 5th of 9 there`."""
    return (
        f"stopped at {place.rung:,} of {total_iter:,} iterations: {ordinal(place.place)} of {place.of} there"
    )


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `4th`, `11th`."""
    last = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{last}"
