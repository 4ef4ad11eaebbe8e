"""Resources: what the trainer's process and its card take, for the reports."""

from __future__ import annotations

import time

import psutil
import torch

from workers.trainer.energy import find_cuda
from workers.trainer.nvml import Card

_EACH = 1.0
"""Seconds between two questions to a card: some of them take a driver a millisecond."""


class Resources:
    """Of this process, its threads included, and of the device it trains on."""

    def __init__(self, device: torch.device) -> None:
        self._process = psutil.Process()
        self._card = _card(device)
        self._of_card: dict[str, float] = {}
        self._asked_at = float("-inf")
        self._cpu, self._wall = time.process_time(), time.monotonic()

    def read(self) -> dict[str, float]:
        """`cpu`: cores in use since the last call, `rss_mib`; on CUDA `gpu_util` (%), `gpu_mib`, `gpu_watts`
        and `gpu_celsius`, of the whole card and as far as it tells."""
        cpu, wall = time.process_time(), time.monotonic()
        cores = (cpu - self._cpu) / max(wall - self._wall, 1e-9)
        self._cpu, self._wall = cpu, wall
        if self._card is not None and wall - self._asked_at >= _EACH:
            self._asked_at, self._of_card = wall, _read(self._card)
        rss = self._process.memory_info().rss / 2**20
        return {"cpu": round(cores, 2), "rss_mib": round(rss, 1), **self._of_card}


def _card(device: torch.device) -> Card | None:
    return find_cuda(device) if device.type == "cuda" else None


def _read(card: Card) -> dict[str, float]:
    found = card.read()
    named = {
        "gpu_util": found.util,
        "gpu_mib": found.used_mib,
        "gpu_watts": found.watts,
        "gpu_celsius": found.celsius,
    }
    return {key: value for key, value in named.items() if value is not None}
