"""The optimizers: one face over torch's, with their state as plain named tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from srqueue.spec.optimizers import OptimizerSpec
from workers.trainer.optim.adam import adam
from workers.trainer.optim.adamw import adamw
from workers.trainer.optim.muon import muon
from workers.trainer.optim.schedule_free import averaged, schedule_free
from workers.trainer.optim.soap import MATRICES, STEP_DEVICE, Soap, soap
from workers.trainer.optim.together import Together

Named = Mapping[str, nn.Parameter]

OPTIMIZERS: dict[str, Callable[[Named, Any], list[torch.optim.Optimizer]]] = {
    "AdamW": adamw,
    "Adam": adam,
    "Muon": muon,
    "SOAP": soap,
    "ScheduleFreeAdamW": schedule_free,
}
"""By the spec's `type`: (named parameters, spec) -> torch optimizers that share them out."""

SCALARS = {"step"}
"""State that is one number a parameter; all else but SOAP's matrices has the parameter's shape."""

GROUP_SCALARS = {"k": int, "weight_sum": float, "lr_max": float, "scheduled_lr": float}
"""State that is one number a group of parameters, with its Python type."""


class Optimizer:
    """One or more torch optimizers over named parameters, stepped together at one learning rate."""

    def __init__(self, named: Named, spec: OptimizerSpec) -> None:
        self._names: dict[Tensor, str] = {parameter: name for name, parameter in named.items()}
        self.parts = OPTIMIZERS[spec.type](named, spec)
        # A scaler decides by optimizer: of several parts, all must be left out or none.
        self._scaled = self.parts[0] if len(self.parts) == 1 else Together(self.parts)

    def unscale(self, scaler: torch.amp.GradScaler) -> None:
        """Divides the gradients by the loss scale, for what is done with them before `step`."""
        scaler.unscale_(self._scaled)

    def step(self, rate: float, scaler: torch.amp.GradScaler | None = None) -> None:
        """One step at this learning rate; the gradients are freed after it.

        With a `scaler` (fp16) they are unscaled where that is not done yet, and where one of them is not
        finite nothing moves; `scaler.update()` is the caller's.
        """
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate * group.get("factor", 1.0)
        if scaler is None:
            for part in self.parts:
                part.step()
        else:
            scaler.step(self._scaled)
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """While it is open the parameters are those to validate and to export; then they are as before."""
        with ExitStack() as stack:
            for part in self.parts:
                stack.enter_context(averaged(part))
            yield

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors by `<what>/<parameter name>` and `group/<number>.<what>`; empty before the first step.

        Raises RuntimeError while `evaluating`: the parameters beside it would be the wrong ones.
        """
        if any(group.get("train_mode") is False for group in self._groups()):
            raise RuntimeError("the state of an optimizer was asked for while it is evaluating")
        of_parameters = {
            f"{what}/{self._names[parameter]}": value
            for part in self.parts
            for parameter, state in part.state.items()
            for what, value in state.items()
        }
        if not of_parameters:
            return {}
        return of_parameters | {
            f"group/{number}.{what}": torch.tensor(group[what], dtype=torch.float64)
            for number, group in enumerate(self._groups())
            for what in GROUP_SCALARS
            if what in group
        }

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `state_dict`, also after steps; the state takes its parameter's memory layout."""
        states: dict[str, dict[str, Tensor]] = {}
        self._forget()
        groups = self._groups()
        for key, tensor in tensors.items():
            what, _, name = key.partition("/")
            if what == "group":
                number, _, scalar = name.partition(".")
                groups[int(number)][scalar] = GROUP_SCALARS[scalar](tensor.item())
            else:
                states.setdefault(name, {})[what] = tensor
        for part in self.parts:
            for parameter in (p for group in part.param_groups for p in group["params"]):
                saved = states.get(self._names[parameter], {})
                if saved:
                    host = isinstance(part, Soap)
                    part.state[parameter] = {
                        what: _placed(what, parameter, t, host) for what, t in saved.items()
                    }

    def _forget(self) -> None:
        """Back to the state before the first step."""
        for part in self.parts:
            part.state.clear()
            for group in part.param_groups:
                group.update({what: part.defaults[what] for what in GROUP_SCALARS if what in group})

    def _groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]


def _placed(what: str, parameter: nn.Parameter, saved: Tensor, host: bool) -> Tensor:
    """`host`: the optimizer reads its scalars on the host."""
    if what in SCALARS:
        return saved.reshape(()).to(STEP_DEVICE if host else parameter.device, torch.float32, copy=True)
    if what in MATRICES:
        return saved.to(parameter.device, copy=True)
    return torch.empty_like(parameter).copy_(saved.reshape(parameter.shape))
