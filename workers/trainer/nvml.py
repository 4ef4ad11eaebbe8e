"""What an NVIDIA card says of itself, through NVML: asked of the driver, so no kernel is waited for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CardFigures:
    """None where the card does not say. `util`: percent of the time in which a kernel ran."""

    util: float | None = None
    used_mib: float | None = None
    total_mib: float | None = None
    watts: float | None = None
    celsius: float | None = None


@dataclass(frozen=True)
class Card:
    """One card that answers."""

    name: str
    _handle: Any
    _nvml: Any

    def read(self) -> CardFigures:
        """How it is now; never raises."""
        nvml, handle = self._nvml, self._handle
        memory = self._ask(lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        util = self._ask(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        milliwatts = self._ask(lambda: nvml.nvmlDeviceGetPowerUsage(handle))
        celsius = self._ask(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
        return CardFigures(
            util=util,
            used_mib=memory and round(memory.used / 2**20),
            total_mib=memory and round(memory.total / 2**20),
            watts=None if milliwatts is None else round(milliwatts / 1000, 1),
            celsius=celsius,
        )

    def _ask(self, question: Callable[[], Any]) -> Any:
        """None where this card, or a share of it, does not tell."""
        with contextlib.suppress(self._nvml.NVMLError):
            return question()
        return None


def find_card(uuid: str) -> Card | None:
    """The card of the driver's name `GPU-...` or `MIG-...`; None without pynvml, a driver or this card."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        return Card(pynvml.nvmlDeviceGetName(handle), handle, pynvml)
    except pynvml.NVMLError:
        return None
