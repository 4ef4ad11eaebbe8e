"""The optimizers: one face over torch's, with their state as plain named tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from srqueue.spec.optimizers import OptimizerSpec
from workers.trainer.optim.adamw import adamw

Named = Mapping[str, nn.Parameter]

OPTIMIZERS: dict[str, Callable[[Named, Any], list[torch.optim.Optimizer]]] = {
    "AdamW": adamw,
}
"""By the spec's `type`: (named parameters, spec) -> torch optimizers that share them out."""

SCALARS = {"step"}
"""State that is one number a parameter; all else has the parameter's shape."""


class Optimizer:
    """One or more torch optimizers over named parameters, stepped together at one learning rate."""

    def __init__(self, named: Named, spec: OptimizerSpec) -> None:
        self._names: dict[Tensor, str] = {parameter: name for name, parameter in named.items()}
        self.parts = OPTIMIZERS[spec.type](named, spec)

    def step(self, rate: float) -> None:
        """One step at this learning rate; the gradients are freed after it."""
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()
            part.zero_grad(set_to_none=True)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """While it is open the parameters are those to validate and to export."""
        yield

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors by `<what>/<parameter name>`; empty before the first step."""
        return {
            f"{what}/{self._names[parameter]}": value
            for part in self.parts
            for parameter, state in part.state.items()
            for what, value in state.items()
        }

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `state_dict`; what has a parameter's shape takes its memory layout too."""
        states: dict[str, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            what, _, name = key.partition("/")
            states.setdefault(name, {})[what] = tensor
        for part in self.parts:
            for parameter in (p for group in part.param_groups for p in group["params"]):
                saved = states.get(self._names[parameter], {})
                if saved:
                    part.state[parameter] = {what: _placed(what, parameter, t) for what, t in saved.items()}


def _placed(what: str, parameter: nn.Parameter, saved: Tensor) -> Tensor:
    if what in SCALARS:
        return saved.reshape(()).to(parameter.device, torch.float32)
    return torch.empty_like(parameter).copy_(saved)
