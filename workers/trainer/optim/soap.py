"""SOAP (Vyas et al., 2024): Adam in the eigenbasis of the gradients' covariances, for the convolutions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from srqueue.spec.optimizers import SoapSpec

LARGEST_SIDE = 640
"""A matrix's side beyond this keeps its own basis: the covariance would cost more than it gives."""

EARLY = (2, 4, 7)
"""Steps at which the basis is also refreshed: one gradient says little about it."""

EPS = 1e-8

STEP_DEVICE = torch.device("cpu")
"""Of the number of steps, wherever the parameters are: it is read at every step."""

MATRICES = ("momentum", "squares", "row_covariance", "column_covariance", "row_basis", "column_basis")
"""State with a shape of its own; filters are seen as matrices [out, in * kh * kw]."""


def soap(named: Mapping[str, nn.Parameter], spec: SoapSpec) -> list[torch.optim.Optimizer]:
    """SOAP for convolutions over several channels, fused AdamW at a lower rate for everything else."""
    inside = {name for name, p in named.items() if p.dim() == 4 and p.shape[0] > 1 and p.shape[1] > 1}
    convolutions = [p for name, p in named.items() if name in inside]
    rest = [p for name, p in named.items() if name not in inside]
    parts: list[torch.optim.Optimizer] = []
    if convolutions:
        parts.append(Soap(convolutions, spec.lr, spec.betas, spec.covariance_beta, spec.refresh))
    if rest:
        group = {"params": rest, "factor": spec.adamw_factor}
        parts.append(
            torch.optim.AdamW(
                [group], lr=spec.lr, betas=spec.betas, weight_decay=spec.weight_decay, fused=True
            )
        )
    for part in parts:
        for group in part.param_groups:
            group["weight_decay"] = spec.weight_decay
    return parts


class Soap(torch.optim.Optimizer):
    """Moments of the gradient in a slowly turning basis; weight decay is decoupled, as in AdamW.

    The first gradient only gives the basis; one that is not finite gives none, and the next is waited for.
    The basis is refreshed each `refresh` steps by one round of orthogonal iteration.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float],
        covariance_beta: float,
        refresh: int,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "covariance_beta": covariance_beta,
            "refresh": refresh,
            "weight_decay": 0.0,
        }
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step of all parameters that have a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step(parameter, parameter.grad.flatten(1).contiguous(), group)

    def _step(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        lr, (beta1, beta2) = group["lr"], group["betas"]
        rows, columns = gradient @ gradient.T, gradient.T @ gradient
        if not state:
            # Where the squares' sum is finite, every entry of both covariances is; eigh refuses all else.
            if bool(torch.isfinite(rows.trace())):
                state.update(_fresh(gradient, rows, columns))
            return
        state["step"] += 1
        steps = int(state["step"].item())
        for name, seen in (("row", rows), ("column", columns)):
            if f"{name}_covariance" in state:
                state[f"{name}_covariance"].lerp_(seen, 1 - group["covariance_beta"])

        state["momentum"].lerp_(gradient, 1 - beta1)
        turned = _turn(gradient, state)
        state["squares"].lerp_(turned.square(), 1 - beta2)
        size = (state["squares"] / (1 - beta2**steps)).sqrt_().add_(EPS)
        update = _turn_back(_turn(state["momentum"], state) / (1 - beta1**steps) / size, state)
        if group["weight_decay"]:
            parameter.mul_(1 - lr * group["weight_decay"])
        parameter.sub_(update.reshape(parameter.shape), alpha=lr)
        if steps % group["refresh"] == 0 or steps in EARLY:
            _refresh(state)


def _fresh(gradient: Tensor, rows: Tensor, columns: Tensor) -> dict[str, Tensor]:
    state = {
        "step": torch.zeros((), device=STEP_DEVICE),
        "momentum": torch.zeros_like(gradient),
        "squares": torch.zeros_like(gradient),
    }
    for name, covariance in (("row", rows), ("column", columns)):
        if len(covariance) <= LARGEST_SIDE:
            state[f"{name}_covariance"] = covariance
            # Largest first, as orthogonal iteration keeps them.
            state[f"{name}_basis"] = torch.linalg.eigh(covariance)[1].flip(-1).contiguous()
    return state


def _turn(x: Tensor, state: Mapping[str, Tensor]) -> Tensor:
    """Into the eigenbasis."""
    if "row_basis" in state:
        x = state["row_basis"].T @ x
    return x @ state["column_basis"] if "column_basis" in state else x


def _turn_back(x: Tensor, state: Mapping[str, Tensor]) -> Tensor:
    if "row_basis" in state:
        x = state["row_basis"] @ x
    return x @ state["column_basis"].T if "column_basis" in state else x


def _refresh(state: dict[str, Tensor]) -> None:
    """One round of orthogonal iteration; the second moments follow their directions."""
    for name, dim in (("row", 0), ("column", 1)):
        if f"{name}_basis" not in state:
            continue
        covariance, basis = state[f"{name}_covariance"], state[f"{name}_basis"]
        moved = covariance @ basis
        order = (basis * moved).sum(0).argsort(descending=True, stable=True)
        state["squares"] = state["squares"].index_select(dim, order)
        # Of a covariance that is not finite any more qr makes NaN; the guard finds it in the weights.
        # Contiguous, as it is read back from a checkpoint: the layout decides the last bits of a product.
        state[f"{name}_basis"] = torch.linalg.qr(moved[:, order])[0].contiguous()
