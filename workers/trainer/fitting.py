"""Whether the checkpoint of another run fits the spec that goes on from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from srqueue.errors import SpecError
from srqueue.spec.job import JobSpec
from workers.trainer.archs import build_network
from workers.trainer.checkpoint import Manifest

_FROM_MODEL = "begin from its exported model: path.pretrain_network_g"
_FROM_PARTS = f"{_FROM_MODEL} (path.strict_load_g: false takes what fits)"


def trained(spec: JobSpec) -> dict[str, object]:
    """What a run must share with one that goes on from its checkpoints; losses and monitor not always."""
    network = spec.network_g.model_dump(mode="json")
    return {
        "network_g": network,
        "scale": spec.scale,
        "optimizer": spec.train.optim_g.type,
        "losses": losses_of(spec),
        "monitor": monitor_of(spec),
    }


def monitor_of(spec: JobSpec) -> str:
    """What early stopping watches."""
    return spec.train.training_automations.IntelligentEarlyStopping.monitor_metric


def losses_of(spec: JobSpec) -> list[list[str | float]]:
    """[type, weight] of each, in order."""
    return [[loss.type, loss.loss_weight] for loss in spec.train.losses]


def check_fits(
    spec: JobSpec, manifest: Manifest, tensors: dict[str, Tensor], data: dict[str, str | None]
) -> None:
    """Raises SpecError where network, scale, optimizer, losses or pictures are not the checkpoint's."""
    theirs, ours = manifest.trained, trained(spec)
    _check_network(theirs.get("network_g"), spec.network_g.model_dump(mode="json"))
    for what, key, hint in (
        ("scale", "scale", _FROM_PARTS),
        ("optimizer", "train.optim_g.type", _FROM_MODEL),
    ):
        if what in theirs and theirs[what] != ours[what]:
            raise unfit(
                f"the {what} of the checkpoint is {theirs[what]}, the spec's is {ours[what]}",
                hint=f"set {key}: {theirs[what]}, or {hint}",
            )
    _check_losses(spec, manifest)
    shapes = {name: tuple(t.shape) for name, t in tensors.items() if name.startswith("model/")}
    net = build_network(spec.network_g, spec.scale)
    if shapes != {f"model/{name}": tuple(t.shape or (1,)) for name, t in net.state_dict().items()}:
        raise unfit("the checkpoint is of another network", hint=f"give the same network_g, or {_FROM_PARTS}")
    if manifest.data != data:
        raise unfit("the checkpoint was trained or validated on other pictures", hint=_FROM_MODEL)


def unfit(message: str, hint: str | None = None) -> SpecError:
    """The error of a checkpoint that cannot be gone on from."""
    return SpecError(message, where="path.resume_from", hint=hint)


def _check_network(theirs: Any, ours: Mapping[str, Any]) -> None:
    """Names the two types, or else the arguments that differ."""
    if not isinstance(theirs, Mapping) or theirs == ours:
        return
    given, wanted = _name(theirs), _name(ours)
    if given != wanted:
        raise unfit(
            f"the network of the checkpoint is a {given}, the spec's is a {wanted}",
            hint="give the same network_g; a network of another architecture cannot take its weights",
        )
    before, now = _flat(theirs), _flat(ours)
    differing = [
        f"{name} is {_said(before, name)} in the checkpoint, {_said(now, name)} in the spec"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    raise unfit(
        f"the network of the checkpoint, a {given}, is not the spec's: {'; '.join(differing)}",
        hint=f"give the same network_g, or {_FROM_PARTS}",
    )


def _name(network: Mapping[str, Any]) -> str:
    """`spandrel:DAT` where a library names its networks itself."""
    kind = str(network.get("type", "?"))
    return f"{kind}:{network['name']}" if "name" in network else kind


def _flat(network: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments; those of another library's network under `arguments.NAME`."""
    own = {key: value for key, value in network.items() if key not in ("type", "name", "arguments")}
    inner = network.get("arguments") or {}
    return own | {f"arguments.{key}": value for key, value in inner.items()}


def _said(arguments: Mapping[str, Any], name: str) -> str:
    return json.dumps(arguments[name]) if name in arguments else "not named"


def _check_losses(spec: JobSpec, manifest: Manifest) -> None:
    """Weights that were found for some losses mean nothing for others."""
    moved = manifest.state.get("automations", {}).get("losses")
    if not (spec.train.dynamic_loss_scheduling.enabled and moved):
        return
    ours, count = losses_of(spec), len(moved["weights"])
    theirs = manifest.trained.get("losses")  # early versions wrote down only their weights
    if (theirs or ours) != ours or count != len(ours):
        told = _listed(theirs) if theirs else f"{count} in number"
        raise unfit(
            f"the losses of the checkpoint are {told}, the spec's are {_listed(ours)}, and "
            "dynamic_loss_scheduling would go on from the weights that it found for the former",
            hint="take the same train.losses, or set train.dynamic_loss_scheduling.enabled: false",
        )


def _listed(losses: list[list[str | float]]) -> str:
    return ", ".join(f"{kind} {weight:g}" for kind, weight in losses)
