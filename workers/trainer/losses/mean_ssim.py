"""Mean SSIM with its gradient worked out at once, some pictures at a time.

The twenty maps that automatic differentiation keeps of a batch do not fit into the cache of a CPU, and to
read them again costs more than to compute: in this order the whole takes half the time and no memory beyond
the gradient. With p, q the product and the sum of squares of the window's means, c the covariance and v the
sum of the variances, SSIM is A1 A2 / (D1 D2) for A1 = 2p + C1, A2 = 2c + C2, D1 = q + C1, D2 = v + C2, and
the gradient is that of the quotient, blurred back with the transposed window.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from workers.trainer.losses.banded import banded

C1, C2 = 0.01**2, 0.03**2
"""Wang's constants for values in 0..1."""

PIXELS = 2**15
"""Of the pictures that are worked on at once on a CPU: their maps fit into its cache."""


def mean_ssim(x: Tensor, y: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """[N, C, H, W] floats in 0..1 twice -> their mean SSIM, a scalar that has a gradient for `x` alone.

    `down` [H, H - 10], `right` [W, W - 10]: the window as banded matrices.
    """
    found: Tensor = _MeanSsim.apply(x, y, down, right)  # type: ignore[no-untyped-call]
    return found


class _MeanSsim(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, down: Tensor, right: Tensor) -> Tensor:
        total, gradient = x.new_zeros(()), torch.empty_like(x)
        windows = x.shape[0] * x.shape[1] * down.shape[1] * right.shape[1]
        at_once = max(1, PIXELS // (x.shape[2] * x.shape[3])) if x.device.type == "cpu" else len(x)
        for i in range(0, len(x), at_once):
            part = slice(i, i + at_once)
            total += _sum(x[part].contiguous(), y[part].contiguous(), down, right, gradient[part])
        ctx.save_for_backward(gradient)
        ctx.windows = windows
        return total / windows

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * (gradients[0] / ctx.windows), None, None, None


def _sum(x: Tensor, y: Tensor, down: Tensor, right: Tensor, gradient: Tensor) -> Tensor:
    """The sum over all windows; its gradient for `x` is written into `gradient`."""
    # The maps are transposed: a sum does not care.
    blurs = (banded(banded(z, right).mT, down) for z in (x, y, x * y, x.square().addcmul_(y, y)))
    mean_x, mean_y, c, v = blurs
    p, q = mean_x * mean_y, mean_x.square().addcmul_(mean_y, mean_y)
    a2, d2 = c.sub_(p).mul_(2).add_(C2), v.sub_(q).add_(C2)
    a1, d1 = p.mul_(2).add_(C1), q.add_(C1)
    inverse = (d1 * d2).reciprocal_()
    by_xy = a1 * inverse  # half the derivative by the blurred product x y
    ssim = by_xy * a2
    total = ssim.sum()
    by_squares = (ssim / d2).neg_()
    by_q = ssim.div_(d1).add_(by_squares).neg_()
    by_p = a2.sub_(a1).mul_(inverse)  # half of it, too
    by_mean = by_p.mul_(mean_y).addcmul_(by_q, mean_x).mul_(2)
    back = (banded(banded(z, down.t()).mT, right.t()) for z in (by_mean, by_xy.mul_(2), by_squares))
    of_mean, of_xy, of_squares = back
    gradient.copy_(of_mean.addcmul_(of_xy, y).addcmul_(of_squares, x, value=2))
    return total
