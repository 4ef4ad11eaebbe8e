"""The exported model: weights as safetensors, with what is needed to build the network in its metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from srqueue.errors import UsageError
from srqueue.run.atomic import write_file
from srqueue.spec.kinship import FORMAT
from srqueue.spec.networks import NetworkSpec
from workers.trainer.archs import ARCHITECTURES, build_network

FORMAT_VERSION = 1

_SPEC: TypeAdapter[NetworkSpec] = TypeAdapter(NetworkSpec)


@dataclass(frozen=True)
class Model:
    """A trained network and what its file says about it. The network is in evaluation mode, on the CPU."""

    net: nn.Module
    scale: int
    network: NetworkSpec
    spec_id: str
    metrics: dict[str, float]


def write_model(
    path: Path,
    weights: dict[str, Tensor],
    network: NetworkSpec,
    scale: int,
    spec_id: str,
    metrics: dict[str, float],
) -> None:
    """Writes a model file, whole or not at all."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in weights.items()}
    write_file(path, safetensors.torch.save(tensors, describe(network, scale, spec_id, metrics)))


def describe(network: NetworkSpec, scale: int, spec_id: str, metrics: dict[str, float]) -> dict[str, str]:
    """The metadata of a model file; arguments and metrics are JSON."""
    return {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "architecture": network.type,
        "scale": str(scale),
        "arguments": network.model_dump_json(exclude={"type"}),
        "spec_id": spec_id,
        "metrics": json.dumps(metrics),
    }


def read_model(path: Path) -> Model:
    """Reads a model file. Raises UsageError where it is none, or of a later version."""
    metadata = _metadata(path)
    _check_known(path, metadata.get("architecture"))
    try:
        arguments: dict[str, Any] = json.loads(metadata["arguments"])
        network = _SPEC.validate_python({**arguments, "type": metadata["architecture"]})
        scale, spec_id = int(metadata["scale"]), metadata["spec_id"]
        metrics: dict[str, float] = json.loads(metadata["metrics"])
        if not 1 <= scale <= 8:
            raise ValueError("scale")
        net = build_network(network, scale)
        net.load_state_dict(safetensors.torch.load(path.read_bytes()))
    except (KeyError, ValueError, TypeError, ValidationError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0]
        raise UsageError(f"the model file does not hold together: {first}", where=str(path)) from None
    return Model(net.eval().requires_grad_(False), scale, network, spec_id, metrics)


def _check_known(path: Path, architecture: str | None) -> None:
    if architecture is not None and architecture not in ARCHITECTURES:
        raise UsageError(
            f"the model is a network {architecture!r}, which this srqueue does not know",
            where=str(path),
            hint=f"upgrade srqueue; it knows {', '.join(sorted(ARCHITECTURES))}",
        )


def _metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, "pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise UsageError(f"cannot read the model: {error}", where=str(path)) from None
    if metadata.get("format") != FORMAT:
        raise UsageError(
            "the file was not exported by srqueue: it does not say which network it holds",
            where=str(path),
            hint="use the .safetensors file in a job's export folder",
        )
    version = metadata.get("format_version", "")
    if version != str(FORMAT_VERSION):
        raise UsageError(
            f"the model file has format version {version}; this srqueue reads {FORMAT_VERSION}",
            where=str(path),
            hint="upgrade srqueue",
        )
    return metadata
