"""What a finished run leaves for its user: the model, a picture, the figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from srqueue.run.atomic import write_file, write_json
from srqueue.run.events import finite
from srqueue.run.folder import RunDir
from srqueue.spec.job import JobSpec
from workers.trainer.archs import build_network
from workers.trainer.comparison import comparison
from workers.trainer.fingerprint import device_name
from workers.trainer.model_file import write_model
from workers.trainer.scoring import scores
from workers.trainer.state import RunState
from workers.trainer.validation import Metrics, Validator


@dataclass(frozen=True)
class Exported:
    """`model`: its path relative to the run folder; `metrics`: what was measured for the export alone."""

    model: str
    metrics: Metrics = field(default_factory=dict)


def export(
    run: RunDir,
    spec: JobSpec,
    spec_id: str,
    weights: dict[str, Tensor],
    state: RunState,
    validator: Validator | None,
    device: torch.device,
    power: Mapping[str, Any] | None = None,
) -> Exported:
    """Writes the export folder.

    `weights`: the moving average at the best `val/psnr`, or the last one where nothing was validated. They
    are measured once more on each picture, and where `val.self_ensemble` is set as `ensemble/...`; a request
    to stop leaves that out. `power`: what a kWh costs.
    """
    run.export.mkdir(exist_ok=True)
    ensemble: Metrics = {}
    each: dict[str, Any] = {}
    if validator is not None and len(validator.pictures):
        net = _network(spec, weights, device)
        write_file(run.export / "comparison.png", comparison(net.eval(), validator.pictures, device))
        ensemble = _ensemble(spec, net, validator)
        each = scores(net, validator, device, device_name(device))
    metrics = finite({**state.metrics(), **ensemble})
    model = run.export / f"{spec.name}_x{spec.scale}.safetensors"
    write_model(model, weights, spec.network_g, spec.scale, spec_id, metrics)
    write_json(
        run.export / "metrics.json",
        {
            "name": spec.name,
            "spec_id": spec_id,
            "model": model.name,
            "iteration": state.best_iteration or state.iteration,
            "trained_iterations": state.iteration,
            "metrics": metrics,
            **each,
            "energy": _energy(state, power or {}),
        },
    )
    return Exported(str(Path(run.export.name) / model.name), ensemble)


def _network(spec: JobSpec, weights: dict[str, Tensor], device: torch.device) -> nn.Module:
    """In the memory layout that was validated in: the last digits depend on it."""
    layout = torch.channels_last if spec.compute.channels_last else torch.contiguous_format
    net: nn.Module = build_network(spec.network_g, spec.scale)
    net = net.to(device, memory_format=layout)  # type: ignore[call-overload]
    net.load_state_dict(weights)
    return net


def _energy(state: RunState, power: Mapping[str, Any]) -> dict[str, Any]:
    """kWh of all attempts but for what was lost, the estimated part of them, and what they cost."""
    kwh, price = state.energy["kwh"], power.get("price")
    found: dict[str, Any] = {"kwh": kwh, "estimated_kwh": state.energy["estimated"]}
    if isinstance(price, int | float):
        found |= {"cost": round(kwh * price, 6), "currency": power.get("currency")}
    return found


def _ensemble(spec: JobSpec, net: nn.Module, validator: Validator) -> Metrics:
    return (validator.ensemble(net) or {}) if spec.val.self_ensemble else {}
