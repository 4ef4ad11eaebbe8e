"""Workers beside each other: machine, device, load, and the jobs they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from srqueue.cli.job_table import at_the_end, eta, gain, psnr_of
from srqueue.cli.output import number
from srqueue.run.reasons import JobState

if TYPE_CHECKING:
    from srqueue.store.record import JobRecord, WorkerRecord
    from srqueue.store.store import Store

COLUMNS = (
    *("WORKER", "HOST", "DEVICE", "CPU", "MEMORY", "GPU", "GPU MEMORY"),
    *("JOB", "DONE", "IT/S", "ETA", "PSNR", "GAIN", "AT THE END", "MEASURED"),
)
_MOST = 1000
_AWAY = "(not announced)"


@dataclass(frozen=True)
class Fleet:
    """Announced workers, running jobs by the name of their worker, and how many jobs run and wait."""

    workers: tuple[WorkerRecord, ...]
    jobs: Mapping[str, Sequence[JobRecord]]
    counts: Mapping[JobState, int]


def look(store: Store) -> Fleet:
    """Reads it. Raises ServiceUnreachable."""
    jobs: dict[str, list[JobRecord]] = {}
    for record in store.list([JobState.RUNNING], limit=_MOST):
        jobs.setdefault(record.worker or "", []).append(record)
    counts = {state: store.count([state]) for state in (JobState.RUNNING, JobState.QUEUED, JobState.HELD)}
    return Fleet(store.workers(), jobs, counts)


def rows(fleet: Fleet) -> list[list[str]]:
    """A row a worker, more where it runs several jobs; behind them jobs whose worker is not announced."""
    found = []
    for worker in fleet.workers:
        labels = worker.offer.labels if worker.offer else ()
        device = ", ".join([worker.device, *labels])
        machine = [worker.name, worker.host, device, *_load(worker.load)]
        if worker.draining:
            machine[0] += " (ending)"
        elif worker.yielding:
            machine[0] += f" ({worker.yielding})"
        jobs: Sequence[JobRecord | None] = fleet.jobs.get(worker.name) or [None]
        measured = worker.speed_text or "-"
        for job in jobs:
            found.append([*machine, *_job(job), measured])
            machine, measured = [""] * len(machine), ""
    known = {worker.name for worker in fleet.workers}
    for name, jobs in fleet.jobs.items():
        if name not in known:
            found += [[f"{name} {_AWAY}", job.host or "-", *["-"] * 5, *_job(job), "-"] for job in jobs]
    return found


def as_dicts(fleet: Fleet) -> list[dict[str, Any]]:
    """The same for programs."""
    known = [{**asdict(w), "jobs": [_summary(j) for j in fleet.jobs.get(w.name, ())]} for w in fleet.workers]
    names = {worker.name for worker in fleet.workers}
    away = {name: jobs for name, jobs in fleet.jobs.items() if name not in names}
    return known + [
        {"name": name, "announced": False, "jobs": [_summary(job) for job in jobs]}
        for name, jobs in away.items()
    ]


def drawing(fleet: Fleet, height: int, below: str) -> Any:
    """What rich draws on a terminal of so many lines."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in COLUMNS:
        table.add_column(column, no_wrap=True)
    found = rows(fleet)
    room = max(height - 4, 3)
    for row in found[:room]:
        table.add_row(*(Text("".join(c if c.isprintable() else " " for c in cell)) for cell in row))
    more = f"{len(found) - room} more below; " if len(found) > room else ""
    return Group(table, Text(more + below))


def _load(load: Mapping[str, Any]) -> list[str]:
    """CPU, memory, GPU and its memory; of several GPUs one after the other."""
    gpus = load.get("gpus") or []
    return [
        number(load, "cpu", ".0f", "%"),
        _memory(load.get("memory_mib")),
        " ".join(_gpu(gpu) for gpu in gpus) or "-",
        " ".join(_memory(gpu.get("mib")) for gpu in gpus) or "-",
    ]


def _gpu(gpu: Mapping[str, Any]) -> str:
    parts = [number(gpu, "util", ".0f", "%"), number(gpu, "watts", ".0f", "W")]
    parts.append(number(gpu, "celsius", ".0f", "C"))
    return "/".join(part for part in parts if part != "-") or "-"


def _memory(mib: Sequence[float | None] | None) -> str:
    if not mib or None in mib:
        return "-"
    used, total = (float(part or 0) / 1024 for part in mib)
    return f"{used:.1f}/{total:.1f} GiB"


def _job(job: JobRecord | None) -> list[str]:
    if job is None:
        return ["-"] * 7
    share = job.iteration / job.total_iter if job.total_iter else 0.0
    values = {"psnr": psnr_of(job), "gain": gain(job)}
    return [
        f"{job.name} {job.short_id}",
        f"{share:4.0%}",
        number(job.progress, "it_s", ".1f"),
        eta(job),
        number(values, "psnr"),
        number(values, "gain", "+.2f"),
        at_the_end(job),
    ]


def _summary(job: JobRecord) -> dict[str, Any]:
    progress = job.progress
    return {
        "id": job.id,
        "name": job.name,
        "iteration": job.iteration,
        "total_iter": job.total_iter,
        "it_s": progress.get("it_s"),
        "eta_s": progress.get("eta_s"),
        "psnr": psnr_of(job),
        "gain": gain(job),
        "forecast": progress.get("forecast"),
        "attempt": job.token,
    }
