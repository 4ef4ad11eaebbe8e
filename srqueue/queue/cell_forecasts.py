"""Forecasts of specs that are not queued yet: what they will take and reach, from earlier jobs, and how far a
budget goes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from srqueue.errors import ServiceUnreachable
from srqueue.forecast.earlier import Earlier, before_start
from srqueue.forecast.fleet import Server, Task, last_end, play_budgets
from srqueue.forecast.open_time import OpenTime
from srqueue.forecast.running import RunForecast
from srqueue.gpus import find_gpu
from srqueue.queue.histories import earlier_runs
from srqueue.queue.kept_speeds import KeptSpeeds
from srqueue.queue.paying import draws, left_of
from srqueue.queue.placing import device_class
from srqueue.run.reasons import JobState
from srqueue.settings import Settings
from srqueue.spec.job import JobSpec
from srqueue.spec.stop_rules import Rule
from srqueue.store.record import WorkerRecord
from srqueue.store.store import Store

_DRAWING = 100  # jobs that tell what a network draws


def forecast_specs(settings: Settings, specs: Sequence[JobSpec], *, kept: bool = True) -> list[RunForecast]:
    """Of each spec. `kept`: also by what was measured on this machine, where no job has done the work.

    Without Redis there is no history; nothing is raised for that.
    """
    earlier, workers = _asked(settings)
    measured, found = KeptSpeeds(settings) if kept else None, []
    now = time.time()
    drawn = _draws(settings, now) if any(spec.stop for spec in specs) else {}
    for spec in specs:
        wanted = device_class(spec.compute.device, spec.needs)
        able = [w for w in workers if wanted in w.classes]
        cuda = on_cuda(settings, spec, workers)
        speed = measured.speed(spec, cuda) if measured else None
        kw = drawn.get(spec.network_g.type, drawn.get(""))
        found.append(before_start(spec, earlier, cuda, [w.model for w in able], speed, now=now, kw=kw))
    return found


def on_cuda(settings: Settings, spec: JobSpec, workers: Sequence[WorkerRecord]) -> bool | None:
    """Whether a spec will run on a GPU, by the workers that are up, else by this machine; None where that is
    open."""
    wanted = device_class(spec.compute.device, spec.needs)
    if wanted != "any":
        return wanted == "cuda"
    kinds = {"cuda" in w.classes for w in workers if "any" in w.classes}
    kinds = kinds or {find_gpu(settings.device) is not None}
    return kinds.pop() if len(kinds) == 1 else None


@dataclass(frozen=True)
class OnOneWorker:
    """Specs one after the other on a worker of one slot that begins now. Seconds from now: `end` of all that
    are foreseen, windows included; `spent`: when the budget is, None where it lasts. `unbegun`: specs that
    have not begun by then; `unmetered`: nothing that ran has told of its energy."""

    end: float | None
    spent: float | None
    unbegun: int
    unmetered: bool


def on_one_worker(
    settings: Settings,
    specs: Sequence[JobSpec],
    found: Sequence[RunForecast],
    budget: Iterable[Rule],
    now: float,
) -> OnOneWorker:
    """How far a budget goes, in the order of the specs; those of which no length is known are passed over."""
    left, known = left_of(budget, 0.0, 0.0, now), _draws(settings, now)
    tasks = [
        Task(
            str(place), one.seconds.middle, order=place, budget="all",
            hours=OpenTime([spec.window], now) if spec.window else None,
            kw=known.get(spec.network_g.type, known.get("", 0.0)),
        )
        for place, (spec, one) in enumerate(zip(specs, found, strict=True)) if one.seconds is not None
    ]  # fmt: skip
    played = play_budgets(tasks, [Server("one", 1, ("any",))], None, {"all": left})
    short = bool(played.cut) or len(played.slots) < len(tasks)
    return OnOneWorker(
        last_end(played.slots.values()), played.spent.get("all") if short else None,
        len(tasks) - len(played.slots), not known,
    )  # fmt: skip


def _draws(settings: Settings, now: float) -> Mapping[str, float]:
    try:
        store = Store.connect(settings)
        return draws(store.list([JobState.RUNNING, JobState.SUCCEEDED], _DRAWING), now)
    except ServiceUnreachable:
        return {}


def _asked(settings: Settings) -> tuple[Earlier, Sequence[WorkerRecord]]:
    try:
        store = Store.connect(settings)
        return earlier_runs(store), store.workers()
    except ServiceUnreachable:
        return Earlier(), ()
