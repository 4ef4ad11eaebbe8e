"""What this machine has: which classes of jobs it serves, and which device a job gets."""

from __future__ import annotations

import platform
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from srqueue.errors import UsageError
from srqueue.gpus import find_gpus
from srqueue.settings import Settings
from srqueue.spec.needs import FEATURES, parse_labels
from srqueue.store.offers import Offer
from workers.trainer.process import cores

_ASKED = re.compile(r"(auto|cpu|cuda)(?::(\d+(?:,\d+)*))?\Z")
_GPU_THREADS = 4
_CPU_THREADS = 1  # two trainings with two threads each on two cores are far slower than with one each


@dataclass(frozen=True)
class Device:
    """What a worker trains on. `name`: cpu, cuda or cuda:<n>; `label`: for people; `classes`: of jobs.

    `lock`: the file that a trainer on this GPU holds locked; none for the CPU. `slots`: jobs at a time, which
    share device and cores. `more`: further GPUs with their locks, for jobs that want several. `uuids`: the
    driver's names of all these GPUs. `memory`: bytes of the smallest of them, 0 where unknown; `capability`:
    86 for a compute capability of 8.6, the least of them; `model`: as a fingerprint calls the device.
    """

    name: str
    label: str
    classes: tuple[str, ...]
    lock: Path | None = None
    slots: int = 1
    more: tuple[tuple[str, Path], ...] = ()
    uuids: tuple[str, ...] = ()
    memory: int = 0
    capability: int = 0
    model: str = ""

    def offer(self, settings: Settings) -> Offer:
        """What a job gets here."""
        gpu = self.name != "cpu"
        least = divmod(self.capability, 10)
        features = tuple(sorted(name for name, needs in FEATURES.items() if gpu and least >= needs))
        if not gpu and cpu_has_bf16():
            features = ("bf16",)
        return Offer(
            host=socket.gethostname(), memory=self.memory // self.slots,
            gpus=1 + len(self.more) if gpu else 0, capability=self.capability, features=features,
            labels=parse_labels(settings.labels), model=self.model,
        )  # fmt: skip

    def for_job(self, device_class: str) -> str:
        """The device of a job of that class: a job that asks for the CPU gets it on a GPU machine too."""
        return "cpu" if device_class == "cpu" else self.name

    def lock_for(self, device_class: str) -> Path | None:
        """What the trainer of a job of that class must hold."""
        return None if self.for_job(device_class) == "cpu" else self.lock

    def more_for(self, device_class: str, wanted: int) -> tuple[tuple[str, Path], ...]:
        """Further GPUs, and their locks, for a job of that class that wants so many."""
        return () if self.for_job(device_class) == "cpu" else self.more[: wanted - 1]

    def cards_for(self, device_class: str, wanted: int) -> tuple[str, ...]:
        """The driver's names of the GPUs that such a job gets."""
        return () if self.for_job(device_class) == "cpu" else self.uuids[: max(wanted, 1)]

    def threads(self, settings: Settings, device: str) -> int:
        """CPU threads of a trainer on `device`; slots share the cores."""
        if settings.threads:
            return settings.threads
        usual = _CPU_THREADS if device == "cpu" else _GPU_THREADS
        return usual if self.slots == 1 else min(usual, cores() // self.slots)


def find_device(settings: Settings) -> Device:
    """The device of SRQUEUE_DEVICE, with `auto` the first GPU, else the CPU; for SRQUEUE_SLOTS jobs at once.

    Raises UsageError where the named one is not there, or the cores do not suffice for so many slots. Does
    not import torch.
    """
    device, slots = _named(settings), settings.slots
    if slots == 1:
        return device
    if device.more:
        raise UsageError(
            "slots are of one GPU, and several are named",
            where="SRQUEUE_SLOTS",
            hint="a worker with slots for each GPU, or one worker with all of them",
        )
    if slots * (settings.threads or 1) > cores():
        each = f" of {settings.threads} threads" if settings.threads > 1 else ""
        raise UsageError(
            f"{slots} slots{each} are more than the {cores()} cores here",
            where="SRQUEUE_SLOTS",
            hint="fewer slots" + (", or a lower SRQUEUE_THREADS" if each else ""),
        )
    return replace(device, slots=slots, label=f"{device.label}, {slots} slots")


def _known(count: int) -> str:
    return f"cuda:0 to cuda:{count - 1}" if count > 1 else "cuda:0 alone" if count else "none"


def _named(settings: Settings) -> Device:
    match = _ASKED.match(settings.device)
    if match is None or (match[1] != "cuda" and match[2] is not None):
        raise UsageError(
            f"there is no device {settings.device!r}",
            where="SRQUEUE_DEVICE",
            hint="auto, cpu, cuda, cuda:<n>, or cuda:<n>,<m> for jobs on several GPUs",
        )
    kind = match[1]
    number, *others = dict.fromkeys(map(int, (match[2] or "0").split(",")))
    gpus = [] if kind == "cpu" else find_gpus()
    if kind == "cuda" and max(number, *others, 0) >= len(gpus):
        raise UsageError(
            f"device {settings.device} is not there: nvidia-smi names {_known(len(gpus))}",
            where="SRQUEUE_DEVICE",
            hint="use `cpu` or `auto`, or repair the driver (see: nvidia-smi -L)",
        )
    if not gpus:
        return Device("cpu", "cpu", ("cpu", "any"), model=cpu_model())
    classes = ("cuda", "any") if kind == "cuda" else ("cuda", "any", "cpu")
    more = tuple((f"cuda:{n}", gpus[n].lock_file) for n in others)
    label = gpus[number].name + "".join(f" + {gpus[n].name}" for n in others)
    uuids = tuple(gpus[n].uuid for n in (number, *others))
    chosen = [gpus[n] for n in (number, *others)]
    return Device(
        f"cuda:{number}", label, classes, gpus[number].lock_file, more=more, uuids=uuids,
        memory=min(gpu.memory_mib for gpu in chosen) << 20,
        capability=min(10 * major + minor for gpu in chosen for major, minor in [gpu.capability or (0, 0)]),
        model=" + ".join(dict.fromkeys(gpu.name for gpu in chosen)),
    )  # fmt: skip


def cpu_model() -> str:
    """The model of the processor, as the trainer's fingerprint has it."""
    return next(_cpuinfo("model name"), "") or platform.processor() or platform.machine()


def cpu_has_bf16() -> bool:
    """Whether the processor computes in bf16."""
    return bool({"avx512_bf16", "amx_bf16"} & set(next(_cpuinfo("flags"), "").split()))


def _cpuinfo(key: str) -> Iterator[str]:
    """Values of lines of Linux's /proc/cpuinfo; none elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        if line.startswith(key):
            yield line.partition(":")[2].strip()
