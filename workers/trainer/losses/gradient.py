"""Mean absolute difference of horizontal and vertical first differences."""

from __future__ import annotations

from torch import Tensor, nn

from workers.trainer.losses.precision import at_least_float32


class GradientLoss(nn.Module):
    """mean |dx sr - dx hr| + mean |dy sr - dy hr|, where dx and dy subtract each pixel from the next.

    It does not see a constant offset, so it goes beside another loss.
    """

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """[N, 3, H, W] twice, sides of 2 or more -> scalar, float32 (float64 of float64)."""
        error = at_least_float32(sr) - hr  # differences are linear: once of the error, not of both
        return error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
