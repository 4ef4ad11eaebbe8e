"""What a run begins with: initial weights, pretrained ones, or the checkpoint of another run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from srqueue.errors import SpecError
from srqueue.spec.job import JobSpec
from workers.trainer.archs import build_network
from workers.trainer.checkpoint import Manifest, read
from workers.trainer.pretrained import load_pretrained
from workers.trainer.state import Contents, RunState

Tell = Callable[[str], object]


def begin(spec: JobSpec, data: dict[str, str | None], tell: Tell) -> Contents:
    """A function of the spec and the files that it names; `tell` gets what a user should know.

    Raises SpecError where another run's checkpoint does not fit, CheckpointError where it is not whole.
    """
    if spec.path.resume_from:
        return _of_another_run(spec, Path(spec.path.resume_from).expanduser(), data, tell)
    net = _initial(spec)
    if spec.path.pretrain_network_g and (told := load_pretrained(net, spec.path, spec.network_g, spec.scale)):
        tell(told)
    return {f"model/{name}": t for name, t in net.state_dict().items()}, RunState()


def trained(spec: JobSpec) -> dict[str, object]:
    """What a run must share with one that goes on from its checkpoints; losses and monitor not always."""
    network = spec.network_g.model_dump(mode="json")
    return {
        "network_g": network,
        "scale": spec.scale,
        "optimizer": spec.train.optim_g.type,
        "losses": _losses(spec),
        "monitor": _monitor(spec),
    }


def _initial(spec: JobSpec) -> nn.Module:
    torch.manual_seed(spec.manual_seed)  # initial weights; nothing else draws from it
    return build_network(spec.network_g, spec.scale)


def _of_another_run(spec: JobSpec, folder: Path, data: dict[str, str | None], tell: Tell) -> Contents:
    manifest, tensors = read(folder)
    _check_kin(spec, manifest, tensors, data)
    state = RunState.from_json(manifest.state)
    if state.iteration >= spec.train.total_iter:
        raise _unfit(
            f"the checkpoint is of iteration {state.iteration}, and train.total_iter is "
            f"{spec.train.total_iter}: nothing is left to do",
            hint="raise train.total_iter",
        )
    # What ended the other run does not end this one.
    state.seq, state.rollbacks, state.decay_from = 0, 0, None
    if stopping := state.automations.get("stopping"):
        stopping["stopped"] = False
        stopping["plateau"]["since"] = state.iteration
        if manifest.trained.get("monitor", _monitor(spec)) != _monitor(spec):
            stopping["plateau"]["reference"] = None
    losses = _losses(spec)
    if manifest.trained.get("losses", losses) != losses:
        _forget_losses(spec, state)
    tell(f"goes on from iteration {state.iteration} of another run: {folder}")
    return tensors, state


def _check_kin(
    spec: JobSpec, manifest: Manifest, tensors: dict[str, Tensor], data: dict[str, str | None]
) -> None:
    theirs, ours = manifest.trained, trained(spec)
    for what, name in (("network_g", "network"), ("scale", "scale"), ("optimizer", "optimizer")):
        if what in theirs and theirs[what] != ours[what]:
            raise _unfit(f"the {name} of the checkpoint is {theirs[what]}, the spec's is {ours[what]}")
    _check_losses(spec, manifest)
    shapes = {name: tuple(t.shape) for name, t in tensors.items() if name.startswith("model/")}
    net = build_network(spec.network_g, spec.scale)
    if shapes != {f"model/{name}": tuple(t.shape or (1,)) for name, t in net.state_dict().items()}:
        raise _unfit("the checkpoint is of another network")
    if manifest.data != data:
        raise _unfit(
            "the checkpoint was trained or validated on other pictures",
            hint="begin from its exported model: path.pretrain_network_g",
        )


def _check_losses(spec: JobSpec, manifest: Manifest) -> None:
    """Weights that were found for some losses mean nothing for others."""
    moved = manifest.state.get("automations", {}).get("losses")
    if not (spec.train.dynamic_loss_scheduling.enabled and moved):
        return
    ours, count = _losses(spec), len(moved["weights"])
    theirs = manifest.trained.get("losses")  # early versions wrote down only their weights
    if (theirs or ours) != ours or count != len(ours):
        told = _said(theirs) if theirs else f"{count} in number"
        raise _unfit(
            f"the losses of the checkpoint are {told}, the spec's are {_said(ours)}, and "
            "dynamic_loss_scheduling would go on from the weights that it found for the former",
            hint="take the same train.losses, or set train.dynamic_loss_scheduling.enabled: false",
        )


def _forget_losses(spec: JobSpec, state: RunState) -> None:
    """What was measured by other losses: it is no measure of what these give."""
    state.train_loss = [0.0, 0]
    state.automations.pop("guard", None)
    if _monitor(spec) == "train/loss" and "stopping" in state.automations:
        state.automations["stopping"]["plateau"]["reference"] = None


def _monitor(spec: JobSpec) -> str:
    """What early stopping watches."""
    return spec.train.training_automations.IntelligentEarlyStopping.monitor_metric


def _losses(spec: JobSpec) -> list[list[str | float]]:
    """[type, weight] of each, in order."""
    return [[loss.type, loss.loss_weight] for loss in spec.train.losses]


def _said(losses: list[list[str | float]]) -> str:
    return ", ".join(f"{kind} {weight:g}" for kind, weight in losses)


def _unfit(message: str, hint: str | None = None) -> SpecError:
    return SpecError(message, where="path.resume_from", hint=hint)
