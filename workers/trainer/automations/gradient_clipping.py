"""Clipping of the gradient's norm: at a fixed limit, or at a multiple of what is usual."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from srqueue.spec.automations import AdaptiveClippingSpec
from srqueue.spec.training import TrainSpec
from workers.trainer.action import Action

EPSILON = 1e-6
"""Added to the norm, as torch.nn.utils.clip_grad_norm_ does."""


class GradientClipping:
    """Scales the gradient down where its L2 norm is above `limit`. Nothing is read back from the device.

    `norm`, `limit`: of the last step, float32 scalars on the device; None before it.
    """

    def __init__(self, limit: float) -> None:
        self._fixed = limit
        self.norm: Tensor | None = None
        self.limit: Tensor | None = None

    @torch.no_grad()
    def clip(self, gradients: list[Tensor]) -> None:
        """Clips these gradients together, in place."""
        self.norm = nn.utils.get_total_norm(gradients)
        self.limit = self._limit_for(self.norm)
        torch._foreach_mul_(gradients, (self.limit / (self.norm + EPSILON)).clamp(max=1.0))

    def _limit_for(self, norm: Tensor) -> Tensor:
        return torch.full_like(norm, self._fixed)

    def acted(self) -> Action | None:
        """What it did since this was last asked; a fixed limit is the user's own, and nothing to tell."""
        return None

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors for the checkpoint."""
        return {}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `state_dict`; without tensors as before the first step."""


class AdaptiveGradientClipping(GradientClipping):
    """Clips at `factor` times the geometric mean of the norms seen so far (moving, `momentum`).

    A norm above the limit is averaged as the limit: in a hundred steps of an explosion, at the default factor
    and momentum, the limit no more than doubles, however large the norms. One that is zero or not finite is
    not averaged. In the first `warmup` steps the fixed limit holds.
    """

    def __init__(self, spec: AdaptiveClippingSpec, fixed: float, device: torch.device) -> None:
        super().__init__(fixed)
        self._spec = spec
        self._average = torch.zeros((), device=device)
        self._steps = torch.zeros((), device=device)
        self._clipped = torch.zeros(3, device=device)

    def _limit_for(self, norm: Tensor) -> Tensor:
        spec, steps = self._spec, self._steps
        limit = spec.factor * self._average.exp()
        counted = torch.where(steps > 0, torch.minimum(norm, limit), norm).log()
        # The plain mean at first: a moving average would hold on to the first norm, the largest of all.
        share = (1 / (steps + 1)).clamp(min=1 - spec.momentum)
        moved = self._average + share * (counted - self._average)
        acting = torch.where(steps >= spec.warmup, limit, self._fixed)
        usable = torch.isfinite(norm) & (norm > 0)
        self._average = torch.where(usable, moved, self._average)
        self._steps = steps + usable
        self._note(norm, acting, (steps >= spec.warmup) & (norm > acting))
        return acting

    def _note(self, norm: Tensor, limit: Tensor, clipped: Tensor) -> None:
        """(how often, the largest norm, the least limit) since `acted` was asked; it decides nothing."""
        times, largest, least = self._clipped
        least = torch.where(clipped, torch.where(times > 0, torch.minimum(least, limit), limit), least)
        largest = torch.where(clipped, torch.maximum(largest, norm), largest)
        self._clipped = torch.stack([times + clipped, largest, least])

    def acted(self) -> Action | None:
        """Reads from the device how many gradients were clipped, and begins to count anew."""
        times, largest, least = self._clipped.tolist()
        self._clipped = torch.zeros_like(self._clipped)
        if not times:
            return None
        return Action(
            by=type(self).__name__,
            did=f"clipped {times:.0f} gradient{'s' if times > 1 else ''} to {least:.3g} or more",
            reason=f"norms up to {largest:.3g}, more than {self._spec.factor:g} times the usual",
        )

    def state_dict(self) -> dict[str, Tensor]:
        """`average` (of the norm's logarithm) and `steps`."""
        return {"average": self._average, "steps": self._steps}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `state_dict`; without tensors as before the first step."""
        for name in ("average", "steps"):
            saved = tensors.get(name, torch.zeros(()))
            setattr(self, f"_{name}", saved.reshape(()).to(self._average.device))


def clipping(spec: TrainSpec, device: torch.device) -> GradientClipping | None:
    """What `grad_clip` and AdaptiveGradientClipping ask for."""
    fixed = float(spec.grad_clip) or math.inf
    automations = spec.training_automations
    if automations.enabled and automations.AdaptiveGradientClipping.enabled:
        return AdaptiveGradientClipping(automations.AdaptiveGradientClipping, fixed, device)
    return GradientClipping(fixed) if math.isfinite(fixed) else None
