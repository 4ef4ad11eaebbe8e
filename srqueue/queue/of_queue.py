"""What is known of all that runs and waits: lengths, workers, stages and budgets, to play the queue with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from srqueue.forecast.bands import Band
from srqueue.forecast.earlier import Earlier, before_start
from srqueue.forecast.fleet import Server, Task
from srqueue.forecast.purses import Budget
from srqueue.forecast.running import RunForecast
from srqueue.forecast.turns import NO_TURNS, Turns
from srqueue.queue.cell_jobs import STAGE
from srqueue.queue.clocks import Clocks
from srqueue.queue.ends import limits_of, told_of
from srqueue.queue.histories import earlier_runs
from srqueue.queue.kept_speeds import KeptSpeeds
from srqueue.queue.paying import budgets_left, draw, draws, payer
from srqueue.run.reasons import JobState
from srqueue.spec.job import JobSpec
from srqueue.store.campaigns import CampaignRecord, Campaigns
from srqueue.store.foremost import foremost
from srqueue.store.offers import fits
from srqueue.store.quotas import Quotas
from srqueue.store.record import JobRecord, WorkerRecord
from srqueue.store.store import Store

MOST = 2000
"""Jobs that are played through, the first to run; of more, the last are left out and counted."""
_LOOKED_AT = 1000  # ended ones, of which the best counts
_Z80 = 1.2816
_DRAWING = 100  # ended ones that tell what a network draws
_WAITING = (JobState.QUEUED, JobState.HELD)


@dataclass(frozen=True)
class Length:
    """Seconds that a job still trains: the middle, and the standard deviation of the logarithm."""

    seconds: float
    doubt: float


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
    clocks: Clocks
    campaigns: Mapping[str, CampaignRecord]
    budgets: Mapping[str, Budget]
    draws: Mapping[str, float]
    fits: Mapping[str, frozenset[str]] = field(default_factory=dict)  # by lot: names of workers
    turns: Turns = NO_TURNS
    first_user: str = ""  # whose are those without a user

    @classmethod
    def read(cls, store: Store, now: float) -> OfQueue:
        """As the store has it; `now` in UTC s."""
        running = store.list([JobState.RUNNING], MOST)
        records = (*running, *store.many(foremost(store.connection, _WAITING, MOST)))
        workers, earlier = store.workers(), earlier_runs(store)
        waiting, kept = records[len(running) :], KeptSpeeds(store.connection.settings)
        done = store.list([JobState.SUCCEEDED], _LOOKED_AT)
        drawn = draws([*running, *done[:_DRAWING]], now)
        known = {r.id: before(r, earlier, workers, kept, draw(r, drawn) or None) for r in waiting}
        clocks, campaigns = Clocks(now, workers), _campaigns(store, records)
        found = {r.id: _length(r, known.get(r.id), clocks, now) for r in records}
        lengths = {i: length for i, length in found.items() if length is not None}
        caps = {name: c.max_parallel for name, c in campaigns.items() if c.max_parallel is not None}
        return cls(
            records, known, lengths, servers(workers, clocks), caps, _stages(store, records, campaigns),
            _best(done), now, clocks, campaigns,
            budgets_left(store, Campaigns(store.connection), campaigns.values(), now),
            drawn, _fitting(records, workers), *_turns(store),
        )  # fmt: skip

    def task(self, record: JobRecord) -> Task:
        """A job as the queue is played with it."""
        found = _task(record, self.stages, self.lengths[record.id].seconds, self.now)
        pays = payer(record, self.budgets)
        kw = draw(record, self.draws) if pays else 0.0
        may = self.fits.get(record.lot)
        share = (record.user or self.first_user, record.share or "")
        return replace(found, hours=self.clocks.of_job(record), budget=pays, kw=kw, fits=may, share=share)

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


def before(
    record: JobRecord, earlier: Earlier, workers: Sequence[WorkerRecord], kept: KeptSpeeds, kw: float | None
) -> RunForecast | None:
    """What is known of a waiting job, which draws so many kW; None where its spec is of another version."""
    try:
        spec = JobSpec.model_validate(record.spec)
    except ValidationError:
        return None
    able = [w for w in workers if record.device_class in w.classes and fits(w.offer, record.lot)]
    cuda = _on_cuda(record.device_class, able)
    known = kept.speed(spec, cuda)
    return before_start(spec, earlier, cuda, [w.model for w in able], known, rung=record.until, kw=kw)


def _turns(store: Store) -> tuple[Turns, str]:
    quotas = Quotas(store.connection)
    users = quotas.all()
    most = {user.name: user.most_running for user in users if user.most_running is not None}
    return Turns(quotas.used(), most), quotas.first_user()


def _fitting(records: Iterable[JobRecord], workers: Sequence[WorkerRecord]) -> dict[str, frozenset[str]]:
    lots = {r.lot for r in records if r.lot}
    return {lot: frozenset(w.name for w in workers if fits(w.offer, lot)) for lot in lots}


def _on_cuda(device_class: str, able: Sequence[WorkerRecord]) -> bool | None:
    """Whether it will run on a GPU; None where that is open."""
    if device_class != "any":
        return device_class == "cuda"
    kinds = {"cuda" in w.classes for w in able}
    return kinds.pop() if len(kinds) == 1 else None


def _length(record: JobRecord, known: RunForecast | None, clocks: Clocks, now: float) -> Length | None:
    if record.state is JobState.RUNNING:
        told = told_of(record)
        if told is not None and told.end is not None:
            low, middle, high = (clocks.training(record, end) for end in told.end.row(3))
            middle = max(middle, 1.0)
            return Length(middle, _doubt(Band(max(low, 0.5), middle, max(high, 1.0))))
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


def servers(workers: Iterable[WorkerRecord], clocks: Clocks) -> list[Server]:
    """The workers that go on taking jobs."""
    return [
        Server(w.name, w.slots, w.classes, w.roots, clocks.of_worker(w))
        for w in workers if w.draining is None
    ]  # fmt: skip


def _task(
    record: JobRecord, stages: Mapping[tuple[str, str], frozenset[str]], seconds: float, now: float
) -> Task:
    after: set[str] = set()
    if record.held_by:
        for one in record.after:
            stage = one.removeprefix(STAGE)
            after |= stages.get((record.held_by, stage), frozenset()) if one.startswith(STAGE) else {one}
    wait = max((record.not_before or 0.0) - now, 0.0)
    moment, runs = limits_of(record).moment, record.state is JobState.RUNNING
    return Task(
        record.id, seconds, record.priority, record.id, record.device_class, record.root_id,
        front=record.front,
        ran=max(now - record.claimed, 0.0) if runs and record.claimed else 0.0,
        on=record.worker if runs else None, after=frozenset(after),
        cap=record.held_by or (record.campaigns[0] if record.campaigns else None), not_before=wait,
        ends_by=math.inf if moment is None else max(moment - now, 0.0),
    )  # fmt: skip


def _campaigns(store: Store, records: Iterable[JobRecord]) -> dict[str, CampaignRecord]:
    """Those of a file that the jobs are of."""
    names = {name for r in records for name in (*r.campaigns, *([r.held_by] if r.held_by else []))}
    campaigns = Campaigns(store.connection)
    return {name: one for name in sorted(names) if (one := campaigns.find(name)) is not None}


def _stages(
    store: Store, records: Iterable[JobRecord], known: Iterable[str]
) -> dict[tuple[str, str], frozenset[str]]:
    """Ids by campaign and stage that others may wait for."""
    waited = {r.held_by for r in records if r.held_by and any(a.startswith(STAGE) for a in r.after)}
    stages: dict[tuple[str, str], set[str]] = {}
    for name in waited & set(known):
        for cell in Campaigns(store.connection).cells(name):
            stages.setdefault((name, cell.stage), set()).add(cell.job_id)
    return {key: frozenset(ids) for key, ids in stages.items()}


def _best(done: Iterable[JobRecord]) -> dict[str, float]:
    found: dict[str, float] = {}
    for record in done:
        psnr = record.metrics.get("best/psnr")
        if isinstance(psnr, int | float):
            found[_data(record)] = max(found.get(_data(record), -math.inf), float(psnr))
    return found


def _data(record: JobRecord) -> str:
    sets = record.spec.get("datasets") or {}
    val, train = sets.get("val") or {}, sets.get("train") or {}
    name = val.get("identity") or val.get("name") or train.get("identity") or train.get("name")
    return f"{name} x{record.spec.get('scale')}"
