"""Forecasts of specs that are not queued yet: what they will take and reach, from earlier jobs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from srqueue.errors import ServiceUnreachable
from srqueue.forecast.earlier import Earlier, before_start
from srqueue.forecast.running import RunForecast
from srqueue.forecast.timing import Speed
from srqueue.gpus import find_gpu
from srqueue.queue.histories import earlier_runs
from srqueue.settings import Settings
from srqueue.spec.job import JobSpec
from srqueue.store.record import WorkerRecord
from srqueue.store.store import Store


def forecast_specs(
    settings: Settings, specs: Sequence[JobSpec], known: Mapping[int, Speed | None] | None = None
) -> list[RunForecast]:
    """Of each spec. `known`: speeds by `id()` of a spec, where there is no history of one.

    Without Redis there is no history; nothing is raised for that.
    """
    earlier, workers = _asked(settings)
    found = []
    for spec in specs:
        wanted = spec.compute.device
        able = [w for w in workers if (wanted if wanted != "auto" else "any") in w.classes]
        kinds = {"cuda" in w.classes for w in able} or {find_gpu(settings.device) is not None}
        cuda = wanted == "cuda" if wanted in ("cpu", "cuda") else kinds.pop() if len(kinds) == 1 else None
        speed = (known or {}).get(id(spec))
        found.append(before_start(spec, earlier, cuda, [w.device for w in able], speed, now=time.time()))
    return found


def _asked(settings: Settings) -> tuple[Earlier, Sequence[WorkerRecord]]:
    try:
        store = Store.connect(settings)
        return earlier_runs(store), store.workers()
    except ServiceUnreachable:
        return Earlier(), ()
