"""What this machine has: which classes of jobs it serves, and which device a job gets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from srqueue.errors import UsageError
from srqueue.gpus import find_gpus
from srqueue.settings import Settings

_ASKED = re.compile(r"(auto|cpu|cuda)(?::(\d+))?\Z")
_GPU_THREADS = 4
_CPU_THREADS = 1  # two trainings with two threads each on two cores are far slower than with one each


@dataclass(frozen=True)
class Device:
    """What a worker trains on. `name`: cpu, cuda or cuda:<n>; `label`: for people; `classes`: of jobs.

    `lock`: the file that a trainer on this GPU holds locked; none for the CPU.
    """

    name: str
    label: str
    classes: tuple[str, ...]
    lock: Path | None = None

    def for_job(self, device_class: str) -> str:
        """The device of a job of that class: a job that asks for the CPU gets it on a GPU machine too."""
        return "cpu" if device_class == "cpu" else self.name

    def lock_for(self, device_class: str) -> Path | None:
        """What the trainer of a job of that class must hold."""
        return None if self.for_job(device_class) == "cpu" else self.lock

    def threads(self, settings: Settings, device: str) -> int:
        """CPU threads of a trainer on `device`."""
        return settings.threads or (_CPU_THREADS if device == "cpu" else _GPU_THREADS)


def find_device(settings: Settings) -> Device:
    """The device that SRQUEUE_DEVICE names, or with `auto` the first GPU, else the CPU.

    Raises UsageError where the named one is not there. Does not import torch.
    """
    match = _ASKED.match(settings.device)
    if match is None or (match[1] != "cuda" and match[2] is not None):
        raise UsageError(
            f"there is no device {settings.device!r}",
            where="SRQUEUE_DEVICE",
            hint="auto, cpu, cuda or cuda:<n>",
        )
    kind, number = match[1], int(match[2] or 0)
    gpus = [] if kind == "cpu" else find_gpus()
    if kind == "cuda" and number >= len(gpus):
        raise UsageError(
            f"device {settings.device} is not there: nvidia-smi names {len(gpus)}",
            where="SRQUEUE_DEVICE",
            hint="use `cpu` or `auto`, or repair the driver (see: nvidia-smi -L)",
        )
    if not gpus:
        return Device("cpu", "cpu", ("cpu", "any"))
    classes = ("cuda", "any") if kind == "cuda" else ("cuda", "any", "cpu")
    return Device(f"cuda:{number}", gpus[number].name, classes, gpus[number].lock_file)
