"""The NVIDIA GPUs of this machine, as nvidia-smi tells of them; torch is not asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_FIELDS = (
    "name,memory.total,compute_cap,uuid",
    "name,memory.total,compute_cap",
    "name",
)  # an old driver knows fewer
_PATIENCE = 20  # seconds for nvidia-smi
_SHARED = Path("/tmp") if os.name == "posix" else Path(tempfile.gettempdir())
"""Not TMPDIR, which may differ from user to user and, under a batch system, from job to job."""


@dataclass(frozen=True)
class Gpu:
    """One GPU. `memory_mib`: 0 where unknown; `capability`: CUDA's compute capability, (8, 6) for example.

    `uuid`: the driver's name for this very card, empty where it does not say.
    """

    name: str
    memory_mib: int = 0
    capability: tuple[int, int] | None = None
    uuid: str = ""

    @property
    def lock_file(self) -> Path:
        """What the one trainer on this GPU holds locked, the same for every user of the machine."""
        return _SHARED / f"srqueue-{self.uuid or self.name.replace(' ', '-')}.lock"

    @property
    def label(self) -> str:
        """Name and memory, for people."""
        return f"{self.name}, {self.memory_mib / 1024:.0f} GiB" if self.memory_mib else self.name


def find_gpus() -> list[Gpu]:
    """The GPUs that CUDA would show, by CUDA's index; empty where there is no driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    for fields in _FIELDS:
        argv = [tool, f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
        try:
            answer = subprocess.run(argv, capture_output=True, text=True, timeout=_PATIENCE)
        except (OSError, subprocess.SubprocessError):
            return []
        if answer.returncode == 0:
            found = [_read(line) for line in answer.stdout.splitlines() if line.strip()]
            return _visible(found, os.environ.get("CUDA_VISIBLE_DEVICES"))
    return []


def find_gpu(device: str) -> Gpu | None:
    """The GPU behind SRQUEUE_DEVICE (`auto`, `cpu`, `cuda`, `cuda:<n>`); None where that is none."""
    kind, _, number = device.partition(":")
    gpus = [] if kind == "cpu" else find_gpus()
    index = int(number) if number.isdigit() else 0
    return gpus[index] if index < len(gpus) else None


def other_gpus(device: str) -> list[tuple[str, Gpu]]:
    """(`cuda:<n>`, GPU) of all but the one behind SRQUEUE_DEVICE."""
    gpus, first = find_gpus(), find_gpu(device)
    return [(f"cuda:{number}", gpu) for number, gpu in enumerate(gpus) if gpu != first]


def gpu_names() -> list[str]:
    """Names of the GPUs that CUDA would show."""
    return [gpu.name for gpu in find_gpus()]


def _read(line: str) -> Gpu:
    """One line of nvidia-smi; what it does not say (`[N/A]`) stays unknown."""
    name, memory, capability, uuid, *_ = [*(part.strip() for part in line.split(",")), "", "", ""]
    major, dot, minor = capability.partition(".")
    return Gpu(
        name,
        int(memory) if memory.isdigit() else 0,
        (int(major), int(minor)) if dot and major.isdigit() and minor.isdigit() else None,
        uuid if uuid.startswith("GPU-") else "",
    )


def _visible(gpus: list[Gpu], listed: str | None) -> list[Gpu]:
    """What CUDA_VISIBLE_DEVICES leaves: it lists indices or UUIDs, and ends at the first that is no GPU."""
    if listed is None:
        return gpus
    found = []
    for word in (w.strip() for w in listed.split(",")):
        if word.isdigit() and int(word) < len(gpus):
            found.append(gpus[int(word)])
        elif word.startswith(("GPU-", "MIG-")):  # of a UUID CUDA takes the beginning, too
            known = [gpu for gpu in gpus if gpu.uuid.startswith(word)]
            found.append(known[0] if len(known) == 1 else Gpu(word, uuid=word))
        else:
            break
    return found
