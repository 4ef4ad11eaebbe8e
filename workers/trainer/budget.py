"""What a trainer may take of the memory of a GPU that it shares."""

from __future__ import annotations

import torch

CONTEXT = 3 << 28
"""Bytes of each process that torch does not count: CUDA's context, cuDNN, cuBLAS."""


def keep_to_share(device: str, slots: int) -> None:
    """Lets this process take one of `slots` equal shares of a GPU; what is more raises OutOfMemoryError.

    Does nothing for the CPU and for a card of its own.
    """
    if slots == 1 or not device.startswith("cuda"):
        return
    index = torch.device(device).index or 0
    if index < torch.cuda.device_count():  # else the attempt tells what is wrong
        total = torch.cuda.get_device_properties(index).total_memory
        torch.cuda.set_per_process_memory_fraction(share_of(total, slots), index)


def share_of(total: int, slots: int) -> float:
    """The part of `total` bytes that torch may take in one of `slots`."""
    return max(total / slots - CONTEXT, total / slots / 2) / total
