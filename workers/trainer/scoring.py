"""What the exported weights make of each validation picture, and how long they take."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch
from torch import nn

from srqueue.run.events import finite
from srqueue.run.scores import FIGURES
from workers.trainer import heart
from workers.trainer.inference import super_resolve
from workers.trainer.validation import Metrics, Validator

SIDE = 512
"""Pixels a side of the output whose making is timed: for every network and scale, as near as it goes."""
ROUNDS = 5
LONGEST = 3.0
"""Seconds after which no other round is begun."""

_KEYS = dict(zip(("psnr", "ssim", "psnr_rgb"), FIGURES, strict=True))


def scores(net: nn.Module, validator: Validator, device: torch.device, device_name: str) -> dict[str, Any]:
    """`pictures`, `count`, `parameters`, `inference` of metrics.json; empty where somebody asked to stop."""
    found = validator.each(net)
    if found is None:
        return {}
    names = [picture.path for picture in validator.pictures.pictures]
    rows = [_row(*one) for one in zip(names, *found, strict=True)]
    measured = ms_per_megapixel(net.eval(), validator.pictures.scale, device)
    return {
        "pictures": rows,
        "count": len(rows),
        "parameters": sum(p.numel() for p in net.parameters()),
        "inference": {
            "ms_per_megapixel": measured, "device": device_name, "threads": torch.get_num_threads()
        },
    }  # fmt: skip


def ms_per_megapixel(net: nn.Module, scale: int, device: torch.device) -> float:
    """Milliseconds a megapixel of output: the median of a few rounds after one that warms up.

    One input at a time, uint8 to uint8 in fp32, as `upscale` does it; what else runs there counts too.
    """
    side = max(1, SIDE // scale)
    lr = (torch.arange(3 * side * side, device=device) % 251).to(torch.uint8).reshape(3, side, side)
    rounds, begun = list[float](), time.monotonic()
    while not rounds or (len(rounds) <= ROUNDS and time.monotonic() - begun < LONGEST):
        heart.beat()
        started = time.perf_counter()
        super_resolve(net, lr, scale)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        rounds.append(time.perf_counter() - started)
    return 1000 * statistics.median(rounds[1:] or rounds) / ((side * scale) ** 2 / 1e6)


def _row(name: str, own: Metrics, bicubic: Metrics) -> dict[str, Any]:
    row = {_KEYS[key]: own[key] for key in _KEYS} | {f"bicubic_{_KEYS[key]}": bicubic[key] for key in _KEYS}
    return {"name": name, **{key: value for key, value in finite(row).items() if key in row}}
