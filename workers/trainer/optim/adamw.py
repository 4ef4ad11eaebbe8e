"""AdamW over named parameters, with its state as plain named tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from srqueue.spec.training import AdamWSpec

_MOMENTS = ("exp_avg", "exp_avg_sq")


class AdamW:
    """torch's fused AdamW (no host synchronisation, deterministic on the CPU and on CUDA)."""

    def __init__(self, named: dict[str, nn.Parameter], spec: AdamWSpec) -> None:
        self._named = named
        self._torch = torch.optim.AdamW(
            list(named.values()), lr=spec.lr, betas=spec.betas, weight_decay=spec.weight_decay, fused=True
        )
        self._group: dict[str, Any] = self._torch.param_groups[0]

    def step(self, rate: float) -> None:
        """One step at this learning rate; the gradients are freed after it."""
        self._group["lr"] = rate
        self._torch.step()
        self._torch.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Tensor]:
        """Moments and step counts by `<what>/<parameter name>`; empty before the first step."""
        return {
            f"{what}/{name}": state[what]
            for name, parameter in self._named.items()
            if (state := self._torch.state.get(parameter))
            for what in (*_MOMENTS, "step")
        }

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `state_dict`; the moments take the memory layout of their parameter."""
        if not tensors:
            return
        for name, parameter in self._named.items():
            state: dict[str, Tensor] = {
                what: torch.empty_like(parameter).copy_(tensors[f"{what}/{name}"]) for what in _MOMENTS
            }
            state["step"] = tensors[f"step/{name}"].reshape(()).to(parameter.device, torch.float32)
            self._torch.state[parameter] = state
