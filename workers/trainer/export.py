"""What a finished run leaves for its user: the model, a picture, the figures."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from srqueue.run.atomic import write_file, write_json
from srqueue.run.events import finite
from srqueue.run.folder import RunDir
from srqueue.spec.job import JobSpec
from workers.trainer.archs import build_network
from workers.trainer.comparison import comparison
from workers.trainer.data.pictures import Pictures
from workers.trainer.model_file import write_model
from workers.trainer.state import RunState


def export(
    run: RunDir,
    spec: JobSpec,
    spec_id: str,
    weights: dict[str, Tensor],
    state: RunState,
    validation: Pictures | None,
    device: torch.device,
) -> str:
    """Writes the export folder; the model's path relative to the run folder.

    `weights`: the moving average at the best `val/psnr`, or the last one where nothing was validated.
    """
    run.export.mkdir(exist_ok=True)
    metrics = finite(state.metrics())
    iteration = state.best_iteration or state.iteration
    model = run.export / f"{spec.name}_x{spec.scale}.safetensors"
    write_model(model, weights, spec.network_g, spec.scale, spec_id, metrics)
    if validation is not None and len(validation):
        net = build_network(spec.network_g, spec.scale).to(device)
        net.load_state_dict(weights)
        write_file(run.export / "comparison.png", comparison(net.eval(), validation, device))
    write_json(
        run.export / "metrics.json",
        {
            "name": spec.name,
            "spec_id": spec_id,
            "model": model.name,
            "iteration": iteration,
            "trained_iterations": state.iteration,
            "metrics": metrics,
        },
    )
    return str(Path(run.export.name) / model.name)
