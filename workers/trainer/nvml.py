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

    def joules(self) -> float | None:
        """What it has drawn since the driver was loaded; None where it does not count."""
        millijoules = self._ask(lambda: self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
        return None if millijoules is None else millijoules / 1000

    def computing(self) -> int:
        """How many processes compute on it."""
        return len(self.computing_pids())

    def computing_pids(self) -> list[int]:
        """Ids of the processes that compute on it."""
        found = self._ask(lambda: self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle))
        return [process.pid for process in found or ()]

    def busy_processes(self, since: int) -> dict[int, int] | None:
        """Process id -> percent of the card's time since the moment `since`, microseconds UTC; None where the
        driver does not tell. Games and other drawing programs are among them."""
        nvml, handle = self._nvml, self._handle
        try:
            samples = nvml.nvmlDeviceGetProcessUtilization(handle, since)
        except nvml.NVMLError as error:
            # There is nothing newer: nobody was busy. (pynvml raises a success where there are no samples.)
            return {} if error.value in (nvml.NVML_ERROR_NOT_FOUND, nvml.NVML_SUCCESS) else None
        found: dict[int, int] = {}
        for sample in samples:
            found[sample.pid] = max(found.get(sample.pid, 0), sample.smUtil)
        return found

    def power_limit(self) -> float | None:
        """Watts that it may draw; None where it does not tell."""
        milliwatts = self._ask(lambda: self._nvml.nvmlDeviceGetPowerManagementLimit(self._handle))
        return None if milliwatts is None else milliwatts / 1000

    def limit_power(self, watts: float) -> str | None:
        """Sets that; why not, in words, or None. A limit that the card does not allow becomes the nearest."""
        nvml, handle = self._nvml, self._handle
        try:
            least, most = nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)
            nvml.nvmlDeviceSetPowerManagementLimit(handle, int(min(max(watts * 1000, least), most)))
        except nvml.NVMLError as error:
            return str(error)
        return None

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
