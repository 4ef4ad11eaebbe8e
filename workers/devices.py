"""What this machine has: which classes of jobs it serves, and which device a job gets."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from srqueue.errors import UsageError
from srqueue.settings import Settings

_ASKED = re.compile(r"(auto|cpu|cuda)(?::(\d+))?\Z")
_GPU_THREADS = 4
_CPU_THREADS = 1  # two trainings with two threads each on two cores are far slower than with one each


@dataclass(frozen=True)
class Device:
    """What a worker trains on. `name`: cpu, cuda or cuda:<n>; `label`: for people; `classes`: of jobs."""

    name: str
    label: str
    classes: tuple[str, ...]

    def for_job(self, device_class: str) -> str:
        """The device of a job of that class: a job that asks for the CPU gets it on a GPU machine too."""
        return "cpu" if device_class == "cpu" else self.name

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
    gpus = [] if kind == "cpu" else gpu_names()
    if kind == "cuda" and number >= len(gpus):
        raise UsageError(
            f"device {settings.device} is not there: nvidia-smi names {len(gpus)}",
            where="SRQUEUE_DEVICE",
            hint="use `cpu` or `auto`, or repair the driver (see: nvidia-smi -L)",
        )
    if not gpus:
        return Device("cpu", "cpu", ("cpu", "any"))
    classes = ("cuda", "any") if kind == "cuda" else ("cuda", "any", "cpu")
    return Device(f"cuda:{number}", gpus[number], classes)


def gpu_names() -> list[str]:
    """Names of the NVIDIA GPUs that CUDA would show, by CUDA's index; empty where there is no driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        answer = subprocess.run(
            [tool, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return []
    if answer.returncode != 0:
        return []
    names = [line.strip() for line in answer.stdout.splitlines() if line.strip()]
    return _visible(names, os.environ.get("CUDA_VISIBLE_DEVICES"))


def _visible(names: list[str], listed: str | None) -> list[str]:
    """What CUDA_VISIBLE_DEVICES leaves: it lists indices or UUIDs, and ends at the first that is no GPU."""
    if listed is None:
        return names
    found = []
    for word in (w.strip() for w in listed.split(",")):
        if word.isdigit() and int(word) < len(names):
            found.append(names[int(word)])
        elif word.startswith(("GPU-", "MIG-")):
            found.append(word)
        else:
            break
    return found
