"""The numerics fingerprint: within one of these a resumed run gives the same bits."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from srqueue.spec.job import ComputeSpec, JobSpec

Fingerprint = dict[str, Any]

ARITHMETIC = {"ssim": 2}
"""Losses that a version of this trainer computes in another order than the first one did."""


def arithmetic_of(spec: JobSpec) -> int:
    """Grows where an upgrade computes this spec in another order. 2: the gradient of SSIM by hand."""
    return max([1, *(ARITHMETIC.get(loss.type, 1) for loss in spec.train.losses)])


def fingerprint(
    compute: ComputeSpec,
    device: torch.device,
    devices: Sequence[torch.device] = (),
    arithmetic: int = 1,
) -> Fingerprint:
    """What the last bits of a training depend on, beside its spec.

    `devices`: all that share a batch, where they are several; `arithmetic`: of `arithmetic_of`.
    """
    cuda = device.type == "cuda"
    return {
        "torch": torch.__version__,
        "device": " + ".join(dict.fromkeys(map(device_name, devices or [device]))),
        "instructions": None if cuda else torch.backends.cpu.get_cpu_capability(),
        "cuda": torch.version.cuda if cuda else None,
        "cudnn": torch.backends.cudnn.version() if cuda else None,  # type: ignore[no-untyped-call]
        "precision": compute.precision,
        "channels_last": compute.channels_last,
        "threads": compute.threads,
        "micro_batch": compute.micro_batch,
        "compile": compute.compile,
        "mode": compute.mode,
        "devices": max(1, len(devices)),
        "arithmetic": arithmetic,
        "denormals": "kept" if cuda or not _flushed() else "flushed",  # CUDA's kernels go by no such switch
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def changes(before: Fingerprint, now: Fingerprint) -> dict[str, list[Any]]:
    """What differs: key -> [before, now]. A mark that an earlier version did not take says nothing."""
    before = {"arithmetic": 1, "denormals": "kept", **before}
    keys = sorted(before.keys() & now.keys())
    return {key: [before[key], now[key]] for key in keys if before[key] != now[key]}


def _flushed() -> bool:
    """Whether this thread takes what is below the least normal number for 0."""
    tiny = torch.full((), torch.finfo(torch.float32).tiny)
    return float(tiny / 2) == 0.0


def device_name(device: torch.device) -> str:
    """The model of a GPU, or of the processor."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_name()


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
