"""A job as a card: what one glance asks for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from srqueue.forecast.told import Told
from srqueue.monitor.backend import run_folder
from srqueue.run.outcome import first_line
from srqueue.run.reasons import JobState
from srqueue.store.record import JobRecord, WorkerRecord

_PRESET = re.compile(r"preset ([A-Za-z0-9._-]+)")
# What the presets differ in; the first that a preset has set names it.
_TELLING = ("train.total_iter", "val.val_freq", "train.optim_g.lr", "train.warmup_iter", "train.optim_g.type")


def card(
    record: JobRecord, workers: Mapping[str, WorkerRecord] | None = None, *, waits: str | None = None,
    starts_in_s: float | None = None, lease_left_s: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """PSNR in dB, times in UTC s, spans in s; None where it is not known.

    `workers`: by name; `waits`, `starts_in_s`: of a job in the queue; `lease_left_s`: of a
    running one, negative where its worker is silent.
    """
    values, running = {**record.progress, **record.metrics}, record.state is JobState.RUNNING
    psnr, best = (
        _first(values, "psnr", "val/psnr"),
        _first(values, "best/psnr", "best_psnr", "val/psnr", "psnr"),
    )
    bicubic = _first(values, "bicubic/psnr", "bicubic_psnr")
    worker = (workers or {}).get(record.worker or "")
    total = record.total_iter
    return {
        "id": record.id, "short": record.short_id, "name": record.name, "state": str(record.state),
        "wish": _wish(record), **what_it_is(record), "priority": record.priority,
        "created": record.created, "started": record.started, "finished": record.finished,
        "iteration": record.iteration, "total": total,
        "share": min(1.0, record.iteration / total) if total else 0.0,
        "it_s": _first(values, "it_s") if running else None,
        "eta_s": _first(values, "eta_s") if running else None,
        "forecast": _forecast(record) if running else None,
        "phase": record.progress.get("phase") if running else None,
        "psnr": psnr, "best_psnr": best, "bicubic_psnr": bicubic,
        "gain": None if best is None or bicubic is None else best - bicubic,
        "ssim": _first(values, "best/ssim", "best_ssim", "val/ssim", "ssim"),
        "device": worker.device if worker else _asked_for(record),
        "device_speed": worker.speed_text if worker else "",
        "worker": record.worker, "host": record.host, "attempts": record.attempts,
        "failures": record.failures, "reason": str(record.reason) if record.reason else None,
        "message": _message(record), "waits": waits, "starts_in_s": starts_in_s,
        "lease_left_s": lease_left_s, "campaigns": list(record.campaigns), "has_report": has_report(record),
    }  # fmt: skip


def _forecast(record: JobRecord) -> dict[str, Any] | None:
    """When it will end and how good it will be: `end` in UTC s, `psnr` in dB, both as [low, middle, high]."""
    told = Told.of(record.progress)
    if told is None:
        return None
    return {
        "end": told.end.row(1) if told.end else None, "psnr": told.psnr.row(3) if told.psnr else None,
        "iteration": told.iteration, "text": told.sentence(time.time()),
    }  # fmt: skip


def _message(record: JobRecord) -> str | None:
    """What is said beside the reason; None where that says it all."""
    text = first_line(record.message or "")
    return None if text in ("", str(record.reason)) else text


def _asked_for(record: JobRecord) -> str | None:
    """The kind of device that the job is for; None where any will do."""
    return None if record.device_class == "any" else record.device_class


def by_name(workers: Iterable[WorkerRecord]) -> dict[str, WorkerRecord]:
    """For `card`."""
    return {worker.name: worker for worker in workers}


def what_it_is(record: JobRecord) -> dict[str, str | None]:
    """Preset, network and data set, out of spec and origins."""
    spec = record.spec
    return {
        "preset": preset_of(record.origins),
        "arch": _text(spec, "network_g", "type"),
        "dataset": _text(spec, "datasets", "train", "name"),
    }


def preset_of(origins: Mapping[str, str]) -> str | None:
    """The preset that a spec came from; a preset that stands on another is the one that is named."""
    for path in (*_TELLING, *origins):
        if match := _PRESET.match(origins.get(path, "")):
            return match[1]
    return None


def has_report(record: JobRecord) -> bool:
    """Whether its report lies on this machine."""
    run = run_folder(record) if record.state.final else None
    return run is not None and (run.path / "report.html").is_file()


def best_psnr(values: Mapping[str, Any]) -> float | None:
    """The best PSNR (dB) of a record's progress and metrics."""
    return _first(values, "best/psnr", "best_psnr", "val/psnr", "psnr")


def _wish(record: JobRecord) -> str | None:
    if record.wish == "preempt":
        return f"yields to {record.yields_to or 'a job of higher priority'}"
    return f"{record.wish} asked" if record.wish else None


def _first(values: Mapping[str, Any], *keys: str) -> float | None:
    found = (values.get(key) for key in keys)
    return next((float(v) for v in found if isinstance(v, int | float) and not isinstance(v, bool)), None)


def _text(spec: Mapping[str, Any], *path: str) -> str | None:
    node: Any = spec
    for key in path:
        node = node.get(key) if isinstance(node, Mapping) else None
    return str(node) if node is not None else None
