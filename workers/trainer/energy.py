"""EnergyMeter: what a training draws, measured where card and CPU tell it, else estimated and said so."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from workers.trainer.nvml import Card, find_card
from workers.trainer.process import cores

JOULES = 3.6e6
"""Of a kWh."""
EACH = 1.0
"""Seconds between two questions to a card, as everywhere."""
POWERCAP = Path("/sys/class/powercap")
"""Where Linux shows what a CPU has drawn (RAPL); since 2020 only to root, unless somebody opens it."""


@dataclass(frozen=True)
class Drawn:
    """kWh, and the part of them that is an estimate."""

    kwh: float
    estimated: float


class EnergyMeter:
    """Of the process that trains, and of its cards. `power`: Settings.power, as in attempt.json.

    A card counts whole, but for what other trainings on it draw: by their number. Of a CPU counts the share
    of its busy time that is this process's; without RAPL, `cpu_watts` times its share of the cores.
    """

    def __init__(self, devices: Sequence[torch.device], power: Mapping[str, Any]) -> None:
        self._cards = [find_cuda(device) for device in devices if device.type == "cuda"]
        self._cpu_watts = float(power.get("cpu_watts") or 65.0)
        self._gpu_watts = float(power.get("gpu_watts") or 250.0)
        self._cards_at = time.monotonic()
        self._cpu = time.process_time()
        self._package, self._busy = package_joules(), _busy_seconds()
        self._counted = [_counter(card) for card in self._cards]
        self.kwh = self.estimated = 0.0

    def lap(self) -> Drawn:
        """What was drawn since the last lap; also added to `kwh` and `estimated`."""
        now, cpu = time.monotonic(), time.process_time()
        used, self._cpu = cpu - self._cpu, cpu
        joules, estimated = self._of_cpu(used)
        if now - self._cards_at >= EACH:
            since, self._cards_at = now - self._cards_at, now
            for place, card in enumerate(self._cards):
                of_card, guessed = self._of_card(place, card, since)
                joules, estimated = joules + of_card, estimated + guessed
        self.kwh, self.estimated = self.kwh + joules / JOULES, self.estimated + estimated / JOULES
        return Drawn(joules / JOULES, estimated / JOULES)

    def note(self, before: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
        """(RunState.energy with what was drawn since the last lap, the figures of a report)."""
        drawn = self.lap()
        after = {"kwh": before["kwh"] + drawn.kwh, "estimated": before["estimated"] + drawn.estimated}
        figures = {
            "kwh": after["kwh"], "kwh_estimated": after["estimated"], "attempt_kwh": self.kwh,
            "attempt_kwh_estimated": self.estimated,
        }  # fmt: skip
        return after, {key: float(f"{value:.6g}") for key, value in figures.items()}

    def _of_cpu(self, used: float) -> tuple[float, float]:
        package, busy = package_joules(), _busy_seconds()
        before, busy_before = self._package, self._busy
        self._package, self._busy = package, busy
        if package is not None and before is not None and package >= before:
            share = min(1.0, used / max(busy - busy_before, used, 1e-9))
            return (package - before) * share, 0.0
        guess = self._cpu_watts * used / cores()
        return guess, guess

    def _of_card(self, place: int, card: Card | None, wall: float) -> tuple[float, float]:
        if card is None:
            return self._gpu_watts * wall, self._gpu_watts * wall
        counted, before = _counter(card), self._counted[place]
        self._counted[place] = counted
        shared = max(1, card.computing())
        if counted is not None and before is not None and counted >= before:
            return (counted - before) / shared, 0.0
        watts = card.read().watts
        if watts is not None:
            return watts * wall / shared, 0.0
        return self._gpu_watts * wall / shared, self._gpu_watts * wall / shared


def find_cuda(device: torch.device) -> Card | None:
    """The card of a torch device, where its driver tells of it."""
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    return find_card(f"GPU-{uuid}") or find_card(f"MIG-{uuid}")


def package_joules(root: Path = POWERCAP) -> float | None:
    """What all CPU packages have drawn since some moment; None where the system does not let one read it."""
    try:
        zones = [zone for zone in root.glob("intel-rapl:*") if zone.name.count(":") == 1]
        return sum(int((zone / "energy_uj").read_text()) for zone in zones) / 1e6 if zones else None
    except (OSError, ValueError):
        return None


def _counter(card: Card | None) -> float | None:
    return None if card is None else card.joules()


def _busy_seconds() -> float:
    """Seconds that all cores of the machine were busy."""
    times = psutil.cpu_times()
    return float(times.user + times.system)
