"""What two runs of the same spec must have in common: digests of everything that they leave."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import safetensors.torch
from torch import Tensor

from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from workers.trainer.checkpoint import read

CLOCK = ("seq", "seconds", "energy")
"""What of the state counts attempts, seconds or kWh: it must grow, but is another in each run."""

_TIMED = ("seconds", "kwh")


def digests(run: RunDir) -> dict[str, str]:
    """Name -> SHA-256: tensors and state of the last checkpoint, the exported model, figures, history."""
    manifest, tensors = read(run.checkpoints / str(run.checkpoint_names()[-1]))
    outcome = Outcome.read(run.attempts()[-1].outcome_file)
    found = {f"tensor {name}": _of_tensor(tensor) for name, tensor in tensors.items()}
    found |= {f"state {k}": _of_json(v) for k, v in manifest.state.items() if k not in CLOCK}
    found["data"] = _of_json(manifest.data)
    found["fingerprint"] = _of_json(manifest.fingerprint)
    found["history"] = _of_json(history(run))
    if outcome is not None:
        figures = {k: v for k, v in outcome.metrics.items() if k not in _TIMED}
        found["outcome"] = _of_json([outcome.reason, outcome.iteration, figures])
        if outcome.export:
            model = safetensors.torch.load_file(run.path / outcome.export)
            found |= {f"model {name}": _of_tensor(tensor) for name, tensor in model.items()}
    return found


def history(run: RunDir) -> list[list[Any]]:
    """What was validated and warned of, as its readers see it: [iteration, kind, data].

    Not what was done: that is the state's `decisions`; and reports end where an attempt does.
    """
    return [
        [e.it, e.kind, {k: v for k, v in e.data.items() if k not in _TIMED}]
        for e in run.events()
        if e.kind == "val" or (e.kind == "message" and e.data["level"] == "warning")
    ]


def differing(ours: dict[str, str], theirs: dict[str, str]) -> list[str]:
    """Names of what is not the same, or not in both."""
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def _of_tensor(tensor: Tensor) -> str:
    described = f"{tensor.dtype} {tuple(tensor.shape)} ".encode()
    return hashlib.sha256(described + safetensors.torch.save({"t": tensor.contiguous()})).hexdigest()


def _of_json(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
