"""Several optimizers as one, for what must happen to all of them or to none."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class Together(torch.optim.Optimizer):
    """All parameters of `parts`, and one step of them all. It has no state and no options of its own.

    torch.amp.GradScaler looks for infinities optimizer by optimizer, and leaves out the step of those that
    have some. The others would move, and the weights be those of no step at all.
    """

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        super().__init__([p for part in parts for group in part.param_groups for p in group["params"]], {})
        self._parts = tuple(parts)

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step of each part."""
        for part in self._parts:
            part.step()
