"""A network that gives what it gave at first, or what bicubic interpolation gives, has learnt nothing."""

from __future__ import annotations

from collections.abc import Mapping

DEAD = {"psnr": 0.001, "ssim": 1e-5}
"""A network this near to bicubic, or to its own beginning, in dB and in SSIM, is dead. Both, since one that
learns may pass bicubic's PSNR in the very iteration of a validation."""


def dead(
    metrics: Mapping[str, float], bicubic: Mapping[str, float], first: Mapping[str, float] | None = None
) -> str | None:
    """What to tell the user where a validation shows a dead network; metrics as Validator gives them.

    `first`: the validation before, if that was the run's first. A network that does not begin as bicubic
    never equals it; below it and unmoved it is as dead. Above it a finished network may stand still.
    """
    psnr, below = metrics["val/psnr"], bicubic["bicubic/psnr"] - metrics["val/psnr"]
    if _equal(metrics, "val", bicubic, "bicubic"):
        where = "is at"
    elif first is not None and below > 0 and _equal(metrics, "val", first, "val"):
        where = f"has not moved from {psnr:.2f} dB, {below:.2f} below"
    else:
        return None
    return (
        f"the network {where} bicubic interpolation: it seems dead. A lower train.optim_g.lr (or a higher "
        "one, if it is tiny), a longer train.warmup_iter or another manual_seed may help"
    )


def _equal(one: Mapping[str, float], its: str, other: Mapping[str, float], others: str) -> bool:
    return all(abs(one[f"{its}/{key}"] - other[f"{others}/{key}"]) < near for key, near in DEAD.items())


def worse(best: float, bicubic: float) -> str | None:
    """What to tell at the end of a run whose best weights are no better than interpolation; both in dB."""
    if best > bicubic:
        return None
    return (
        f"the best weights give {best:.2f} dB, no more than bicubic interpolation with {bicubic:.2f}: train "
        "longer, at another train.optim_g.lr, or by the preset `tuned`"
    )
