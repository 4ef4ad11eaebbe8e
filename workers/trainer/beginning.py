"""What a run begins with: initial weights, pretrained ones, or the checkpoint of another run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from srqueue.spec.job import JobSpec
from workers.trainer.archs import build_network
from workers.trainer.checkpoint import read
from workers.trainer.fitting import check_fits, losses_of, monitor_of, unfit
from workers.trainer.pretrained import load_pretrained
from workers.trainer.state import Contents, RunState

Tell = Callable[[str], object]


def begin(spec: JobSpec, data: dict[str, str | None], tell: Tell, log: Tell) -> Contents:
    """A function of the spec and the files that it names.

    `tell` gets what a user should know, `log` what is too long for that.

    Raises SpecError where another run's checkpoint does not fit, CheckpointError where it is not whole.
    """
    if spec.path.resume_from:
        return _of_another_run(spec, Path(spec.path.resume_from).expanduser(), data, tell)
    net = _initial(spec)
    if spec.path.pretrain_network_g:
        told = load_pretrained(net, spec.path, spec.network_g, spec.scale, log)
        if told:
            tell(told)
    return {f"model/{name}": t for name, t in net.state_dict().items()}, RunState()


def unheard(text: str) -> None:
    """Where all was told before."""


def _initial(spec: JobSpec) -> nn.Module:
    torch.manual_seed(spec.manual_seed)  # initial weights; nothing else draws from it
    return build_network(spec.network_g, spec.scale)


def _of_another_run(spec: JobSpec, folder: Path, data: dict[str, str | None], tell: Tell) -> Contents:
    manifest, tensors = read(folder)
    check_fits(spec, manifest, tensors, data)
    state = RunState.from_json(manifest.state)
    if state.iteration >= spec.train.total_iter:
        raise unfit(
            f"the checkpoint is of iteration {state.iteration}, and train.total_iter is "
            f"{spec.train.total_iter}: nothing is left to do",
            hint="raise train.total_iter",
        )
    # What ended the other run does not end this one.
    state.seq, state.rollbacks, state.decay_from = 0, 0, None
    state.automations.pop("stops", None)
    if stopping := state.automations.get("stopping"):
        stopping["stopped"] = False
        stopping["plateau"]["since"] = state.iteration
        if manifest.trained.get("monitor", monitor_of(spec)) != monitor_of(spec):
            stopping["plateau"]["reference"] = None
    losses = losses_of(spec)
    if manifest.trained.get("losses", losses) != losses:
        _forget_losses(spec, state)
    tell(f"goes on from iteration {state.iteration} of another run: {folder}")
    return tensors, state


def _forget_losses(spec: JobSpec, state: RunState) -> None:
    """What was measured by other losses: it is no measure of what these give."""
    state.train_loss = [0.0, 0]
    state.automations.pop("guard", None)
    if monitor_of(spec) == "train/loss" and "stopping" in state.automations:
        state.automations["stopping"]["plateau"]["reference"] = None
