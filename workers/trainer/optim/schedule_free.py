"""Schedule-free AdamW (Defazio et al., 2024), from its authors' library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from schedulefree import AdamWScheduleFree
from torch import nn

from srqueue.spec.optimizers import ScheduleFreeSpec


def schedule_free(named: Mapping[str, nn.Parameter], spec: ScheduleFreeSpec) -> list[torch.optim.Optimizer]:
    """The library's optimizer, training from the start. Warm-up comes with the rate of each step."""
    part = AdamWScheduleFree(
        list(named.values()), lr=spec.lr, betas=spec.betas, weight_decay=spec.weight_decay
    )
    part.train()
    return [part]


@contextmanager
def averaged(part: torch.optim.Optimizer) -> Iterator[None]:
    """While it is open the parameters of a schedule-free optimizer are their averages; else nothing happens.

    Afterwards they have the bits that they had before: the library's own way back rounds, and a validation
    that is done twice, before and after a restart, would change the training.
    """
    if not isinstance(part, AdamWScheduleFree):
        yield
        return
    parameters = [p for group in part.param_groups for p in group["params"]]
    kept = [p.detach().clone() for p in parameters]
    part.eval()
    try:
        yield
    finally:
        part.train()
        with torch.no_grad():
            torch._foreach_copy_(parameters, kept)
