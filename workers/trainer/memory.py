"""Errors that mean: not enough memory."""

from __future__ import annotations

import torch

HOST_ALLOCATOR = "DefaultCPUAllocator"
"""Names itself in the message of a plain RuntimeError: torch has no class for this on the CPU."""


def out_of_memory(error: RuntimeError) -> bool:
    """Whether the memory of the device, or of the host, did not suffice."""
    return isinstance(error, torch.OutOfMemoryError) or HOST_ALLOCATOR in str(error)


def first_line(error: RuntimeError) -> str:
    """What an error says, without what follows on further lines."""
    return str(error).partition("\n")[0]
