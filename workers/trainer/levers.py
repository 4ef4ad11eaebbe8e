"""What `auto` may be measured for: precision, memory layout, a compiled network.

Each is tried on the job's own network, crops and device, and is used where it pays. What was found is kept
beside the runs, so that the jobs of a campaign on one kind of device all compute alike. A run that ends
within minutes takes the rule of thumb instead: measuring would cost it more than it gains.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from srqueue.errors import UsageError
from srqueue.run.atomic import write_json
from srqueue.spec.job import LOADER, ComputeSpec, JobSpec
from workers.trainer.fingerprint import fingerprint
from workers.trainer.trial import Trial

FEWEST, WORTH = 2000, 600.0
"""Iterations and seconds of training below which nothing is measured."""

PAYS = 1.05
"""How many times as fast a lever must be to be used, or its counterpart to replace it."""

WARM, TIMED = 2, 6
SECONDS = 3.0
"""Steps of each candidate, and the time after which no further one begins."""

FILE = "levers.json"

Levers = dict[str, Any]


def choose(
    spec: JobSpec, asked: ComputeSpec, device: torch.device, cache: Path, stopped: Callable[[], bool]
) -> tuple[ComputeSpec, str]:
    """(what to compute with, what was measured in words or nothing).

    `spec` is decided by the rule of thumb; only what `asked` leaves `auto` is tried. `cache`: the file of
    earlier findings. A request to stop ends it with what is known by then.
    """
    compute = spec.compute
    if not _open(compute, asked) or spec.train.total_iter < FEWEST:
        return compute, ""
    key = _key(spec, asked, device)
    known = _read(cache).get(key)
    if isinstance(known, dict):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return compute.model_validate({**compute.model_dump(), **known["levers"]}), ""
    base = _milliseconds(spec, compute, device, WARM, WARM)
    if base is None or base * spec.train.total_iter < WORTH * 1e3:
        return compute, ""
    measured = {_words(compute): _milliseconds(spec, compute, device) or base}
    for lever, value, gain in _open(compute, asked):
        if stopped():
            return compute, ""
        other = compute.model_copy(update={lever: value})
        found = _milliseconds(spec, other, device)
        if found is None:
            continue
        measured[_words(other)] = found
        if found * gain < measured[_words(compute)]:
            compute = other
    levers = {lever: getattr(compute, lever) for lever, _, _ in _open(spec.compute, asked)}
    _keep(cache, key, {"levers": levers, "milliseconds_a_step": measured})
    times = ", ".join(f"{words} {time:.1f}" for words, time in measured.items())
    return compute, f"measured on this device, milliseconds a step: {times}; it trains in {_words(compute)}"


def _open(compute: ComputeSpec, asked: ComputeSpec) -> list[tuple[str, Any, float]]:
    """(field, the other value, how many times as fast that must be) of what may be tried."""
    found: list[tuple[str, Any, float]] = []
    if asked.precision == "auto" and compute.precision == "bf16":
        found.append(("precision", "fp32", 1 / PAYS))  # unless bf16 pays, the more exact one
    if asked.channels_last == "auto":
        found.append(("channels_last", not compute.channels_last, PAYS))
    if asked.compile == "auto" and compute.mode == "fast":
        found.append(("compile", True, PAYS))
    return found


def _milliseconds(
    spec: JobSpec, compute: ComputeSpec, device: torch.device, warm: int = WARM, timed: int = TIMED
) -> float | None:
    """Of a step; None where it cannot be done so (no memory, no compiler)."""
    try:
        trial = Trial(spec.model_copy(update={"compute": compute}), device)
        trial.steps(warm, SECONDS)
        count, seconds = trial.steps(timed, SECONDS)
    except (UsageError, RuntimeError):  # whatever a compiler or a kernel says: it is not for this run
        return None
    finally:
        trial = None  # type: ignore[assignment]
        gc.collect()
    return seconds / count * 1e3


def _words(compute: ComputeSpec) -> str:
    layout = "channels_last" if compute.channels_last else "contiguous"
    return f"{compute.precision} {layout}{' compiled' if compute.compile else ''}"


def _key(spec: JobSpec, asked: ComputeSpec, device: torch.device) -> str:
    """Names everything that the times depend on."""
    marks = fingerprint(spec.compute, device)
    train = spec.train
    network = spec.network_g.model_dump(mode="json")
    losses = [loss.model_dump(mode="json") for loss in train.losses]
    sizes = [spec.scale, spec.datasets.train.lq_size, spec.datasets.train.effective_batch]
    parts = [
        marks,
        network,
        losses,
        sizes,
        train.optim_g.type,
        asked.model_dump(mode="json", exclude=set(LOADER)),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _read(cache: Path) -> dict[str, Any]:
    try:
        found = json.loads(cache.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep(cache: Path, key: str, finding: dict[str, Any]) -> None:
    """What two runs write at once is one's or the other's: the loser measures again."""
    with contextlib.suppress(OSError):  # a full disk: it is measured again
        write_json(cache, {**_read(cache), key: finding})
