"""When everything that waits or runs will have ended: the queue played through with what is known of each
job."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from srqueue.forecast.bands import Band, band_of
from srqueue.forecast.earlier import Earlier, before_start
from srqueue.forecast.fleet import Server, Slot, Task, last_end, play_queue
from srqueue.forecast.running import RunForecast
from srqueue.queue.cell_jobs import STAGE
from srqueue.queue.ends import at_rungs, limits_of, told_of
from srqueue.queue.histories import earlier_runs
from srqueue.run.reasons import JobState
from srqueue.spec.job import JobSpec
from srqueue.store.campaigns import Campaigns
from srqueue.store.foremost import foremost, place
from srqueue.store.record import JobRecord, WorkerRecord
from srqueue.store.store import Store

MOST = 2000
"""Jobs that are played through, the first to run; of more, the last are left out and counted."""
_LOOKED_AT = 1000  # ended ones, of which the best counts
_PLAYS, _FEWER_PLAYS, _FEW = 24, 6, 200  # plays of a short queue and of one of more jobs than that
_MACHINE = 0.5
"""Share of a length's doubt that all jobs have in common: one machine, slower or faster than it was."""
_Z80 = 1.2816
_WAITING = (JobState.QUEUED, JobState.HELD)
_UNDONE = (JobState.RUNNING, JobState.QUEUED, JobState.HELD)


@dataclass(frozen=True)
class Length:
    """Seconds that a job still trains: the middle, and the standard deviation of the logarithm."""

    seconds: float
    doubt: float


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


@dataclass(frozen=True)
class Outlook:
    """Of the queue, or of a part of it. `end`: of all in it that are foreseen, seconds from now;
    `unknown`: jobs of which no length is known, `stuck`: that no worker that is up can run, or that wait
    for such a one; `left_out`: of those asked for, further back; `to_rung`: foreseen to their next rung
    only; `at_rungs`: paused there, which may go on."""

    jobs: tuple[JobOutlook, ...]
    end: Band | None
    unknown: int = 0
    stuck: int = 0
    left_out: int = 0
    workers: int = 0
    to_rung: int = 0
    at_rungs: int = 0


@dataclass(frozen=True)
class OfQueue:
    """What is known of all that runs and waits. `best`: best PSNR of ended jobs by `data_of`, dB."""

    records: tuple[JobRecord, ...]
    known: Mapping[str, RunForecast | None]
    lengths: Mapping[str, Length]
    servers: Sequence[Server]
    caps: Mapping[str, int]
    stages: Mapping[tuple[str, str], frozenset[str]]
    best: Mapping[str, float]
    now: float

    @classmethod
    def read(cls, store: Store, now: float) -> OfQueue:
        """As the store has it; `now` in UTC s."""
        running = store.list([JobState.RUNNING], MOST)
        records = (*running, *store.many(foremost(store.connection, _WAITING, MOST)))
        workers, earlier = store.workers(), earlier_runs(store)
        known = {r.id: before(r, earlier, workers) for r in records if r.state is not JobState.RUNNING}
        lengths = {r.id: one for r in records if (one := _length(r, known.get(r.id), now)) is not None}
        caps, stages = _campaigns(store, records)
        return cls(records, known, lengths, servers(workers), caps, stages, _best(store), now)

    def task(self, record: JobRecord) -> Task:
        """A job as the queue is played with it."""
        return _task(record, self.stages, self.lengths[record.id].seconds, self.now)

    def tasks(self) -> list[Task]:
        """Of all whose length is known."""
        return [self.task(r) for r in self.records if r.id in self.lengths]

    def psnr(self, record: JobRecord) -> Band | None:
        """What a job will reach, dB: by its own curve, or by earlier jobs."""
        told = told_of(record)
        if told is not None and told.psnr is not None:
            return told.psnr
        known = self.known.get(record.id)
        return known.psnr if known is not None else None

    def data_of(self, record: JobRecord) -> str:
        """Jobs of which this is the same are compared with each other."""
        return _data(record)


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
    found = [_foreseen(r, queue.known.get(r.id), plays) for r in queue.records if r.id in asked]
    ends = [end for play in plays if (end := last_end(s for i, s in play.items() if i in asked)) is not None]
    unknown = [r.id for r in queue.records if r.id in asked and r.id not in queue.lengths]
    stuck = [r for r in found if r.end is None and r.job.id in queue.lengths]
    return Outlook(
        tuple(found), band_of(ends) if ends else None, len(unknown), len(stuck),
        max(undone - len(asked), 0), len(queue.servers),
        sum(r.until is not None for r in queue.records if r.id in asked), resting,
    )  # fmt: skip


def campaign_ends(store: Store, names: Iterable[str], now: float) -> dict[str, tuple[Band, bool]]:
    """When the jobs of each campaign will have ended, seconds from now, and whether some are foreseen
    to their next rungs only; one of which nothing is known is left out. The queue is played once for all."""
    queue = OfQueue.read(store, now)
    plays = _plays(queue)
    found: dict[str, tuple[Band, bool]] = {}
    for name in names:
        records = [r for r in queue.records if _is_of(r, name)]
        mine, to_rung = {r.id for r in records}, any(r.until is not None for r in records)
        slots = ([s for i, s in play.items() if i in mine] for play in plays)
        ends = [end for some in slots if (end := last_end(some)) is not None]
        if ends:
            found[name] = band_of(ends), to_rung
    return found


def of_campaign(store: Store, name: str, now: float) -> Outlook:
    """Of the jobs of a campaign that have not ended; all others are played with them."""
    queue = OfQueue.read(store, now)
    mine = {r.id for r in queue.records if _is_of(r, name)}
    return _outlook(queue, mine, store.count(_UNDONE, campaign=name), at_rungs(store, MOST, name))


def _is_of(record: JobRecord, campaign: str) -> bool:
    return campaign in record.campaigns or record.held_by == campaign


def before(record: JobRecord, earlier: Earlier, workers: Sequence[WorkerRecord]) -> RunForecast | None:
    """What is known of a waiting job; None where its spec is of another version."""
    try:
        spec = JobSpec.model_validate(record.spec)
    except ValidationError:
        return None
    able = [w for w in workers if record.device_class in w.classes]
    cuda = _on_cuda(record.device_class, able)
    return before_start(spec, earlier, cuda, [w.device for w in able], rung=record.until)


def _on_cuda(device_class: str, able: Sequence[WorkerRecord]) -> bool | None:
    """Whether it will run on a GPU; None where that is open."""
    if device_class != "any":
        return device_class == "cuda"
    kinds = {"cuda" in w.classes for w in able}
    return kinds.pop() if len(kinds) == 1 else None


def _length(record: JobRecord, known: RunForecast | None, now: float) -> Length | None:
    if record.state is JobState.RUNNING:
        told = told_of(record)
        if told is not None and told.end is not None:
            middle = max(told.end.middle - now, 1.0)
            return Length(
                middle, _doubt(Band(max(told.end.low - now, 0.5), middle, max(told.end.high - now, 1.0)))
            )
        return _told_by_trainer(record)
    if known is None or known.seconds is None or not record.total_iter:
        return None
    last = known.ends_at.middle if known.ends_at is not None else record.total_iter
    share = max(last - record.iteration, 0) / last if last else 0.0
    return Length(known.seconds.middle * share, _doubt(known.seconds))


def _told_by_trainer(record: JobRecord) -> Length | None:
    """By its ETA, which knows of rules but of no rung."""
    eta, limits = record.progress.get("eta_s"), limits_of(record)
    if not isinstance(eta, int | float):
        return None
    whole = replace(limits, rung=None).length(record.total_iter) - record.iteration
    share = (limits.length(record.total_iter) - record.iteration) / whole if whole > 0 else 1.0
    return Length(float(eta) * max(share, 0.0), 0.2)


def _doubt(band: Band) -> float:
    return math.log(max(band.high / band.low, 1.0)) / (2 * _Z80) if band.low > 0 else 0.2


def servers(workers: Iterable[WorkerRecord]) -> list[Server]:
    """The workers that go on taking jobs."""
    return [Server(w.name, w.slots, w.classes, w.root_id) for w in workers if w.draining is None]


def _plays(queue: OfQueue) -> list[dict[str, Slot]]:
    """The queue, with every length in the middle first, and then as they may turn out."""
    tasks, plays = queue.tasks(), list[dict[str, Slot]]()
    dice = random.Random(len(tasks))
    for number in range(_PLAYS if len(tasks) <= _FEW else _FEWER_PLAYS):
        common = dice.gauss(0.0, 1.0) if number else 0.0
        made = []
        for task in tasks:
            own = dice.gauss(0.0, 1.0) if number else 0.0
            z = math.sqrt(_MACHINE) * common + math.sqrt(1 - _MACHINE) * own
            doubt = queue.lengths[task.id].doubt
            made.append(replace(task, seconds=task.seconds * math.exp(doubt * z)))
        plays.append(play_queue(made, queue.servers, queue.caps))
    return plays


def _task(
    record: JobRecord, stages: Mapping[tuple[str, str], frozenset[str]], seconds: float, now: float
) -> Task:
    after: set[str] = set()
    if record.held_by:
        for one in record.after:
            stage = one.removeprefix(STAGE)
            after |= stages.get((record.held_by, stage), frozenset()) if one.startswith(STAGE) else {one}
    wait = max((record.not_before or 0.0) - now, 0.0)
    front = place(record.preemptions, record.attempts)
    moment = limits_of(record).moment
    return Task(
        record.id, seconds, record.priority, (front, record.id), record.device_class, record.root_id,
        on=record.worker if record.state is JobState.RUNNING else None, after=frozenset(after),
        cap=record.held_by or (record.campaigns[0] if record.campaigns else None), not_before=wait,
        ends_by=math.inf if moment is None else max(moment - now, 0.0),
    )  # fmt: skip


def _campaigns(
    store: Store, records: Sequence[JobRecord]
) -> tuple[dict[str, int], dict[tuple[str, str], frozenset[str]]]:
    """(max_parallel by campaign, ids by campaign and stage that others may wait for)."""
    names = {name for r in records for name in (*r.campaigns, *([r.held_by] if r.held_by else []))}
    campaigns, caps, stages = Campaigns(store.connection), dict[str, int](), dict[tuple[str, str], set[str]]()
    waited = {
        name
        for r in records
        if r.held_by and any(a.startswith(STAGE) for a in r.after)
        for name in [r.held_by]
    }
    for name in sorted(names):
        record = campaigns.find(name)
        if record is None:
            continue
        if record.max_parallel is not None:
            caps[name] = record.max_parallel
        for cell in campaigns.cells(name) if name in waited else ():
            stages.setdefault((name, cell.stage), set()).add(cell.job_id)
    return caps, {key: frozenset(ids) for key, ids in stages.items()}


def _best(store: Store) -> dict[str, float]:
    found: dict[str, float] = {}
    for record in store.list([JobState.SUCCEEDED], _LOOKED_AT):
        psnr = record.metrics.get("best/psnr")
        if isinstance(psnr, int | float):
            found[_data(record)] = max(found.get(_data(record), -math.inf), float(psnr))
    return found


def _data(record: JobRecord) -> str:
    sets = record.spec.get("datasets") or {}
    val, train = sets.get("val") or {}, sets.get("train") or {}
    name = val.get("identity") or val.get("name") or train.get("identity") or train.get("name")
    return f"{name} x{record.spec.get('scale')}"


def _foreseen(
    record: JobRecord, known: RunForecast | None, plays: Sequence[Mapping[str, Slot]]
) -> JobOutlook:
    slots = [play[record.id] for play in plays if record.id in play]
    end = band_of(s.end for s in slots) if slots else None
    begin = slots[0].begin if slots else None
    told = told_of(record)
    if told is not None and told.psnr is not None:
        return JobOutlook(
            record, begin, end, told.psnr, told.ssim, f"its curve until iteration {told.iteration}"
        )
    if known is None:
        return JobOutlook(record, begin, end)
    quality, speed = (str(known.made_from.get(key) or "") for key in ("quality", "speed"))
    return JobOutlook(record, begin, end, known.psnr, known.ssim, quality, known.seconds, speed)
