"""Prometheus figures of queue, workers and what runs: read before an answer, never while it is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from srqueue.errors import SrqueueError
from srqueue.run.reasons import JobState
from srqueue.store.overview import leases
from srqueue.store.record import JobRecord, WorkerRecord
from srqueue.store.store import Store

MOST_RUNNING = 200
"""Running jobs with figures of their own: what is bounded makes no series without end."""

_OF_JOB = (
    ("it_s", "srqueue_job_iterations_per_second", "Optimizer steps a second."),
    ("psnr", "srqueue_job_psnr_db", "PSNR-Y of the newest validation, dB."),
    ("best_psnr", "srqueue_job_best_psnr_db", "Best PSNR-Y so far, dB."),
    ("bicubic_psnr", "srqueue_job_bicubic_psnr_db", "PSNR-Y of bicubic on the same pictures, dB."),
    ("loss", "srqueue_job_loss", "Newest training loss."),
    ("eta_s", "srqueue_job_eta_seconds", "Seconds left."),
)
_OF_GPU = (
    ("util", "srqueue_gpu_utilization_percent", "Utilization, percent."),
    ("watts", "srqueue_gpu_power_watts", "Power draw, W."),
    ("celsius", "srqueue_gpu_temperature_celsius", "Temperature, C."),
)


@dataclass(frozen=True)
class Snapshot:
    """What was read last; `up`: whether the store answered."""

    up: bool = False
    counts: Mapping[JobState, int] = field(default_factory=dict)
    running: tuple[JobRecord, ...] = ()
    silent: int = 0  # running jobs whose lease ran out
    workers: tuple[WorkerRecord, ...] = ()
    left: tuple[str, ...] = ()  # names of workers that ended by themselves


def snapshot(store: Store) -> Snapshot:
    """One look; never raises: without a store there is `up` 0."""
    try:
        running = store.list([JobState.RUNNING], MOST_RUNNING)
        _, left = leases(store.connection, (r.id for r in running))
        silent = sum(seconds < 0 for seconds in left.values())
        return Snapshot(True, store.count_by_state(), running, silent, store.workers(), store.left_workers())
    except SrqueueError:
        return Snapshot()


class TrainingCollector(Collector):
    """Yields the figures of the snapshot that it was given last."""

    def __init__(self) -> None:
        self.seen = Snapshot()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """For prometheus_client."""
        seen = self.seen
        yield _gauge("srqueue_store_up", "Whether the store answered.", (), [((), float(seen.up))])
        if not seen.up:
            return
        counts = [((str(state),), float(number)) for state, number in seen.counts.items()]
        yield _gauge("srqueue_jobs", "Jobs by state.", ("state",), counts)
        queued = float(seen.counts.get(JobState.QUEUED, 0))
        yield _gauge("srqueue_queue_length", "Jobs that wait for a worker.", (), [((), queued)])
        yield _gauge(
            "srqueue_jobs_silent", "Running jobs whose worker is silent.", (), [((), float(seen.silent))]
        )
        yield from _of_jobs(seen.running)
        yield from _of_workers(seen.workers)
        left = [((name,), 1.0) for name in seen.left]
        told = "Workers that ended by themselves within an hour or so, and are not back."
        yield _gauge("srqueue_worker_left", told, ("worker",), left)


def _of_jobs(running: Iterable[JobRecord]) -> Iterator[GaugeMetricFamily]:
    jobs = [((r.short_id, r.name, r.worker or ""), r) for r in running]
    names = ("job", "name", "worker")
    share = [(who, r.iteration / r.total_iter) for who, r in jobs if r.total_iter]
    yield _gauge("srqueue_job_progress_ratio", "Iterations done, 0 to 1.", names, share)
    for key, metric, text in _OF_JOB:
        found = [(who, value) for who, r in jobs if (value := _number(r.progress, key)) is not None]
        yield _gauge(metric, text, names, found)


def _of_workers(workers: Iterable[WorkerRecord]) -> Iterator[GaugeMetricFamily]:
    known = list(workers)
    rows = [((w.name, w.host, w.device, _said(w.draining), _said(w.yielding)), 1.0) for w in known]
    told = ("worker", "host", "device", "draining", "resting")
    yield _gauge("srqueue_worker_up", "Workers that are up.", told, rows)
    cpu = [((w.name, w.host), v) for w in known if (v := _number(w.load, "cpu")) is not None]
    yield _gauge("srqueue_worker_cpu_percent", "Use of all cores, percent.", ("worker", "host"), cpu)
    memory = [((w.name, w.host), v) for w in known if (v := _mib(w.load.get("memory_mib"), 0)) is not None]
    yield _gauge("srqueue_worker_memory_used_bytes", "Memory in use.", ("worker", "host"), memory)
    rates = [((w.name, w.host, work), float(rate)) for w in known for work, rate in w.speeds.items()]
    text = "Iterations a second that its device was measured to train, by work."
    yield _gauge("srqueue_worker_it_per_second", text, ("worker", "host", "work"), rates)
    names = ("worker", "host", "gpu", "name")
    gpus = [
        ((w.name, w.host, str(i), str(g.get("name", ""))), g)
        for w in known
        for i, g in enumerate(w.load.get("gpus") or ())
        if isinstance(g, Mapping)
    ]
    for key, metric, text in _OF_GPU:
        found = [(who, value) for who, gpu in gpus if (value := _number(gpu, key)) is not None]
        yield _gauge(metric, text, names, found)
    for place, word in enumerate(("used", "total")):
        found = [(who, value) for who, gpu in gpus if (value := _mib(gpu.get("mib"), place)) is not None]
        yield _gauge(f"srqueue_gpu_memory_{word}_bytes", f"Memory of the GPU, {word}.", names, found)


def _gauge(
    name: str, text: str, labels: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in dict(rows).items():
        family.add_metric(values, value)
    return family


def _said(why: str | None) -> str:
    return "false" if why is None else "true"


def _number(values: Mapping[str, Any], key: str) -> float | None:
    value = values.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _mib(pair: Any, place: int) -> float | None:
    """Bytes of one of [used, total] in MiB."""
    try:
        return float(pair[place]) * 2**20
    except (TypeError, ValueError, IndexError, KeyError):
        return None
