"""Copies of a run's tensors from which a checkpoint is written while the training goes on."""

from __future__ import annotations

import torch
from torch import Tensor


class Staging:
    """Host memory that is taken once and used for every checkpoint; pinned where it is filled from a GPU."""

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}

    def copies(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tensors as they stand now. Valid until the next call, so one checkpoint at a time."""
        self._kept = {name: self._room(name, tensor) for name, tensor in tensors.items()}
        on_gpu = False
        for name, tensor in tensors.items():
            self._kept[name].copy_(tensor.detach(), non_blocking=tensor.is_cuda)
            on_gpu = on_gpu or tensor.is_cuda
        if on_gpu:
            # The next step overwrites the weights: the copies must be made by then.
            torch.cuda.current_stream().synchronize()
        return self._kept

    def _room(self, name: str, tensor: Tensor) -> Tensor:
        kept = self._kept.get(name)
        if kept is not None and kept.shape == tensor.shape and kept.dtype == tensor.dtype:
            return kept
        try:
            return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
        except RuntimeError:  # the system has no more to pin: the copy only takes longer
            return torch.empty(tensor.shape, dtype=tensor.dtype)
