"""When everything that waits or runs will have ended, and which budgets are spent before: the queue played
through with what is known of each job."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from srqueue.forecast.bands import Band, band_of
from srqueue.forecast.fleet import Played, last_end, play_budgets
from srqueue.queue.ends import at_rungs, told_of
from srqueue.queue.of_queue import MOST, OfQueue
from srqueue.queue.paying import rules_of
from srqueue.run.reasons import JobState
from srqueue.spec.stop_rules import CostRule, EnergyRule
from srqueue.store.record import JobRecord
from srqueue.store.store import Store

_PLAYS, _FEWER_PLAYS, _FEW = 24, 6, 200  # plays of a short queue and of one of more jobs than that
_MACHINE = 0.5
"""Share of a length's doubt that all jobs have in common: one machine, slower or faster than it was."""
_UNDONE = (JobState.RUNNING, JobState.QUEUED, JobState.HELD)


@dataclass(frozen=True)
class JobOutlook:
    """A job and what is foreseen of it; `begin`, `end` in seconds from now, `psnr` in dB; None where
    nothing is."""

    job: JobRecord
    begin: float | None = None
    end: Band | None = None
    psnr: Band | None = None
    ssim: Band | None = None
    source: str = ""  # of the quality
    takes: Band | None = None  # seconds of training in all, of one that waits
    speed: str = ""  # where they are from
    unpaid: bool = False  # it will not begin: the budget of its campaign is spent before


@dataclass(frozen=True)
class BudgetOutlook:
    """The budget of a campaign. `share`: of all plays, those in which it is spent before all is done; `at`:
    when, seconds from now; `unbegun`: jobs that have not begun by then, in the middle; `unmetered`: it is of
    energy or money, and nothing that ran has told of its energy."""

    campaign: str
    rules: tuple[str, ...]
    share: float
    at: Band | None
    unbegun: int
    unmetered: bool = False


@dataclass(frozen=True)
class Outlook:
    """Of the queue, or of a part of it. `end`: of all in it that are foreseen, seconds from now;
    `unknown`: jobs of which no length is known, `stuck`: that no worker that is up can run, or that wait
    for such a one; `left_out`: of those asked for, further back; `to_rung`: foreseen to their next rung
    only; `at_rungs`: paused there, which may go on; `unpaid`: that will not begin for want of a budget;
    `budgets`: of the campaigns of these jobs, where they matter."""

    jobs: tuple[JobOutlook, ...]
    end: Band | None
    unknown: int = 0
    stuck: int = 0
    left_out: int = 0
    workers: int = 0
    to_rung: int = 0
    at_rungs: int = 0
    unpaid: int = 0
    budgets: tuple[BudgetOutlook, ...] = ()


def outlook(store: Store, now: float, only: Iterable[str] | None = None) -> Outlook:
    """What is foreseen, `now` being UTC s. `only`: ids of the jobs that are asked about; the others are
    played too."""
    queue = OfQueue.read(store, now)
    there = {r.id for r in queue.records}
    if only is None:
        return _outlook(queue, there, store.count(_UNDONE), at_rungs(store, MOST))
    asked = set(only)
    beyond = sum(r.state in _UNDONE for r in store.many(asked - there))
    return _outlook(queue, asked & there, len(asked & there) + beyond, 0)


def _outlook(queue: OfQueue, asked: set[str], undone: int, resting: int) -> Outlook:
    plays = _plays(queue)
    found = [_foreseen(r, queue, plays) for r in queue.records if r.id in asked]
    mine = ([s for i, s in play.slots.items() if i in asked] for play in plays)
    ends = [end for slots in mine if (end := last_end(slots)) is not None]
    unknown = [r.id for r in queue.records if r.id in asked and r.id not in queue.lengths]
    unpaid = sum(r.unpaid for r in found)
    stuck = sum(r.end is None and r.job.id in queue.lengths and not r.unpaid for r in found)
    budgets = (_budget(queue, name, plays) for name in queue.budgets)
    return Outlook(
        tuple(found), band_of(ends) if ends else None, len(unknown), stuck,
        max(undone - len(asked), 0), len(queue.servers),
        sum(r.until is not None for r in queue.records if r.id in asked), resting, unpaid,
        tuple(
            b for b in budgets
            if (b.share or b.unmetered) and any(is_of(r, b.campaign) for r in queue.records if r.id in asked)
        ),
    )  # fmt: skip


def _budget(queue: OfQueue, name: str, plays: Sequence[Played]) -> BudgetOutlook:
    rules = rules_of(queue.campaigns[name])
    mine = [task.id for task in queue.tasks() if task.budget == name]
    # One that is spent with the last of its jobs ends none.
    short = [p for p in plays if name in p.spent and any(i in p.cut or i not in p.slots for i in mine)]
    unbegun = sorted(sum(i not in play.slots for i in mine) for play in short)
    return BudgetOutlook(
        name, tuple(map(str, rules)), len(short) / len(plays),
        band_of(p.spent[name] for p in short) if short else None, unbegun[len(unbegun) // 2] if short else 0,
        unmetered=not queue.draws and any(isinstance(r, EnergyRule | CostRule) for r in rules),
    )  # fmt: skip


@dataclass(frozen=True)
class CampaignEnd:
    """When the jobs of a campaign will have ended, seconds from now. `to_rung`: some are foreseen to their
    next rungs only; `unpaid`: its budget will be spent before all of them have."""

    end: Band
    to_rung: bool
    unpaid: bool


def campaign_ends(store: Store, names: Iterable[str], now: float) -> dict[str, CampaignEnd]:
    """Of each campaign; one of which nothing is known is left out. The queue is played once for all."""
    queue = OfQueue.read(store, now)
    plays = _plays(queue)
    found: dict[str, CampaignEnd] = {}
    for name in names:
        records = [r for r in queue.records if is_of(r, name)]
        mine, to_rung = {r.id for r in records}, any(r.until is not None for r in records)
        slots = ([s for i, s in play.slots.items() if i in mine] for play in plays)
        ends = [end for some in slots if (end := last_end(some)) is not None]
        if ends:
            unpaid = name in queue.budgets and _budget(queue, name, plays).share > 0.5
            found[name] = CampaignEnd(band_of(ends), to_rung, unpaid)
    return found


def of_campaign(store: Store, name: str, now: float) -> Outlook:
    """Of the jobs of a campaign that have not ended; all others are played with them."""
    queue = OfQueue.read(store, now)
    mine = {r.id for r in queue.records if is_of(r, name)}
    return _outlook(queue, mine, store.count(_UNDONE, campaign=name), at_rungs(store, MOST, name))


def is_of(record: JobRecord, campaign: str) -> bool:
    """Whether a job is one of a campaign's."""
    return campaign in record.campaigns or record.held_by == campaign


def _plays(queue: OfQueue) -> list[Played]:
    """The queue, with every length in the middle first, and then as they may turn out."""
    tasks, plays = queue.tasks(), list[Played]()
    dice = random.Random(len(tasks))
    for number in range(_PLAYS if len(tasks) <= _FEW else _FEWER_PLAYS):
        common = dice.gauss(0.0, 1.0) if number else 0.0
        made = []
        for task in tasks:
            own = dice.gauss(0.0, 1.0) if number else 0.0
            z = math.sqrt(_MACHINE) * common + math.sqrt(1 - _MACHINE) * own
            doubt = queue.lengths[task.id].doubt
            made.append(replace(task, seconds=task.seconds * math.exp(doubt * z)))
        plays.append(play_budgets(made, queue.servers, queue.caps, queue.budgets, queue.turns))
    return plays


def _foreseen(record: JobRecord, queue: OfQueue, plays: Sequence[Played]) -> JobOutlook:
    slots = [play.slots[record.id] for play in plays if record.id in play.slots]
    task = queue.task(record) if record.id in queue.lengths else None
    missed = [p for p in plays if record.id not in p.slots and task and task.budget in p.spent]
    unpaid = 2 * len(missed) > len(plays)
    end = band_of(s.end for s in slots) if slots and not unpaid else None
    begin = slots[0].begin if slots and not unpaid else None
    told, known = told_of(record), queue.known.get(record.id)
    found = JobOutlook(record, begin, end, unpaid=unpaid)
    if told is not None and told.psnr is not None:
        source = f"its curve until iteration {told.iteration}"
        return replace(found, psnr=told.psnr, ssim=told.ssim, source=source)
    if known is None:
        return found
    quality, speed = (str(known.made_from.get(key) or "") for key in ("quality", "speed"))
    return replace(found, psnr=known.psnr, ssim=known.ssim, source=quality, takes=known.seconds, speed=speed)
