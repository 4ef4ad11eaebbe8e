"""Load: how busy a worker's machine and its GPUs are, for its announcement."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import psutil

from workers.trainer.nvml import Card, find_card

_AT_ONCE = 0.2
"""Seconds in which a driver that is well answers."""


class Load:
    """Of this machine, and of the GPUs with these names of the driver's."""

    def __init__(self, uuids: Sequence[str]) -> None:
        self._uuids = uuids
        self._newest: dict[str, Any] = {}
        self._looking: threading.Thread | None = None
        psutil.cpu_percent()  # what the next call counts from

    def newest(self) -> dict[str, Any]:
        """What the last look found, and looks again beside: a driver that hangs must hang nobody else."""
        if self._looking is None or not self._looking.is_alive():
            self._looking = threading.Thread(target=self._look, name="load", daemon=True)
            self._looking.start()
            self._looking.join(_AT_ONCE)
        return self._newest

    def _look(self) -> None:
        self._newest = self.read()

    def read(self) -> dict[str, Any]:
        """`cpu`: percent of all cores since the last call; `memory_mib`: [used, total]; `gpus`: of each
        `name`, `util` (%), `mib` [used, total], `watts` and `celsius`, null where it does not tell."""
        memory = psutil.virtual_memory()
        used, total = memory.total - memory.available, memory.total
        return {
            "cpu": psutil.cpu_percent(),
            "memory_mib": [used // 2**20, total // 2**20],
            "gpus": [_gpu(card) for card in self._cards],
        }

    @cached_property
    def _cards(self) -> list[Card]:
        return [card for uuid in self._uuids if uuid and (card := find_card(uuid)) is not None]


def _gpu(card: Card) -> dict[str, Any]:
    found = card.read()
    return {
        "name": card.name,
        "util": found.util,
        "mib": [found.used_mib, found.total_mib],
        "watts": found.watts,
        "celsius": found.celsius,
    }
