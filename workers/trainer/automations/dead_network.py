"""A network that gives what bicubic interpolation gives has learnt nothing."""

from __future__ import annotations

DEAD = 0.001
"""dB: a network this near to bicubic is dead."""


def dead(psnr: float, bicubic: float) -> str | None:
    """What to tell the user where `psnr` (dB) shows a dead network."""
    if abs(psnr - bicubic) >= DEAD:
        return None
    return (
        f"the network is within {DEAD} dB of bicubic interpolation: it seems dead. A lower "
        "train.optim_g.lr, a longer train.warmup_iter or another manual_seed may help"
    )
