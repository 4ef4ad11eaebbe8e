"""Muon (Jordan et al., 2024): momentum, made orthogonal, for the inner convolutions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from srqueue.spec.optimizers import MuonSpec

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Jordan's coefficients: five rounds bring singular values of 0.01..1 to about 0.7..1.2."""

ROUNDS = 5
LEAST_NORM = 1e-7
MATCH_ADAMW = 0.2
"""Root mean square of AdamW's updates (Liu et al., 2025)."""

LEAST_SIDE = 4
RGB = 3
SUB_PIXEL = {RGB * scale**2 for scale in (2, 3, 4, 8)}


def muon(named: Mapping[str, nn.Parameter], spec: MuonSpec) -> list[torch.optim.Optimizer]:
    """Muon for the inner convolutions, fused AdamW for the rest; one that has no parameters is left out."""
    inner = inner_convolutions(named)
    inside = [parameter for name, parameter in named.items() if name in inner]
    rest = [parameter for name, parameter in named.items() if name not in inner]
    parts: list[torch.optim.Optimizer] = []
    if inside:
        parts.append(Muon(inside, spec.lr, spec.momentum, spec.weight_decay))
    if rest:
        parts.append(
            torch.optim.AdamW(rest, lr=spec.lr, betas=spec.betas, weight_decay=spec.weight_decay, fused=True)
        )
    return parts


def inner_convolutions(named: Mapping[str, Tensor]) -> set[str]:
    """Names of the weights [out, in a group, kh, kw] that Muon takes, told by their shapes:

    - they read more than one channel a group (not depthwise) and not three (those read a picture);
    - they give more than three channels (three are a picture); where no convolution gives three, the last in
      order gives the picture before PixelShuffle if it has 3 * scale^2 channels, and is left out too;
    - as matrices [out, in * kh * kw] they have at least four rows and four columns.
    """
    convolutions = {name: p.shape for name, p in named.items() if p.dim() == 4}
    tail = (
        None
        if any(shape[0] == RGB for shape in convolutions.values())
        else next(reversed(convolutions), None)
    )
    return {
        name
        for name, shape in convolutions.items()
        if shape[1] not in (1, RGB)
        and min(shape[0], math.prod(shape[1:])) >= LEAST_SIDE
        and not (name == tail and shape[0] in SUB_PIXEL)
    }


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, made orthogonal by Newton-Schulz, times 0.2 * sqrt(max(rows, columns)).

    Parameters are [out, ...] and seen as matrices [out, rest]. Weight decay is decoupled, as in AdamW. All is
    in the parameters' own precision: filter banks are small, so bfloat16 would save nothing on CUDA and cost
    1 % of the update.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float, weight_decay: float
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step of all parameters that have a gradient."""
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            if moved:
                self._step(moved, group["lr"], group["momentum"], group["weight_decay"])

    def _step(self, moved: list[Tensor], lr: float, momentum: float, weight_decay: float) -> None:
        gradients = [p.grad for p in moved if p.grad is not None]
        for p in moved:
            if not self.state[p]:
                self.state[p]["momentum_buffer"] = torch.zeros_like(p)
        buffers = [self.state[p]["momentum_buffer"] for p in moved]
        torch._foreach_lerp_(buffers, gradients, 1 - momentum)
        directions = torch._foreach_lerp(gradients, buffers, momentum)
        if weight_decay:
            torch._foreach_mul_(moved, 1 - lr * weight_decay)

        # Equal shapes go through Newton-Schulz as one batch.
        batches: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}
        for p, direction in zip(moved, directions, strict=True):
            matrix = direction.flatten(1)
            batches.setdefault((matrix.shape[0], matrix.shape[1]), []).append((p, matrix))
        for (rows, columns), batch in batches.items():
            updates = orthogonalise(torch.stack([matrix for _, matrix in batch]))
            size = MATCH_ADAMW * math.sqrt(max(rows, columns))
            for (p, _), update in zip(batch, updates, strict=True):
                p.add_(update.reshape(p.shape), alpha=-lr * size)


def orthogonalise(matrices: Tensor) -> Tensor:
    """[batch, rows, columns] -> the same with singular values of about 1 (Newton-Schulz, five rounds)."""
    a, b, c = QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=LEAST_NORM)
    for _ in range(ROUNDS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
