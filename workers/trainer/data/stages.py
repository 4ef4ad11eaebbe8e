"""Host buffers of batches, and their way to the device."""

from __future__ import annotations

import torch
from torch import Tensor

HFLIP, VFLIP, TRANSPOSE = 1, 2, 4
"""Flags of a crop: mirror left and right, then top and bottom, then swap the axes."""


class Stage:
    """Host buffers of one batch, and when the device has read them; pinned for CUDA.

    `lr`, `hr`: uint8 [N, side, side, 3]; `flags`: uint8 [N].
    """

    def __init__(self, count: int, lr_side: int, hr_side: int, pinned: bool) -> None:
        def empty(*shape: int) -> Tensor:
            return torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)

        flags = torch.zeros(count, dtype=torch.uint8, pin_memory=pinned)
        self.tensors = (empty(count, lr_side, lr_side, 3), empty(count, hr_side, hr_side, 3), flags)
        self.lr, self.hr, self.flags = (t.numpy() for t in self.tensors)
        self.read: torch.cuda.Event | None = None

    def wait(self) -> None:
        """Returns when the buffers may be written again."""
        if self.read is not None:
            self.read.synchronize()
            self.read = None


class Transfer:
    """Takes stages to the device as uint8, a quarter of the bytes; there they are turned and become float.

    On CUDA the copy runs on a stream of its own, beside the step that computes.
    """

    def __init__(self, device: torch.device, layout: torch.memory_format, turn: bool) -> None:
        self._device, self._layout, self._turn = device, layout, turn
        self._side = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def send(self, stage: Stage) -> tuple[Tensor, ...]:
        """Begins the copies. On a CPU there are none: the stage must stay as it is until it is received."""
        if self._side is None:
            return stage.tensors
        with torch.cuda.stream(self._side):
            sent = tuple(t.to(self._device, non_blocking=True) for t in stage.tensors)
            stage.read = torch.cuda.Event()  # type: ignore[no-untyped-call]
            stage.read.record(self._side)
        return sent

    def receive(self, sent: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """(LR, HR): RGB [N, 3, H, W] float32 in 0..1, on the device."""
        if self._side is not None:
            current = torch.cuda.current_stream(self._device)
            current.wait_stream(self._side)
            for tensor in sent:
                tensor.record_stream(current)
        lr, hr, flags = sent
        if self._turn:
            lr, hr = turned(lr, flags), turned(hr, flags)
        return self._to_float(lr), self._to_float(hr)

    def _to_float(self, x: Tensor) -> Tensor:
        """uint8 [N, H, W, 3] -> float32 [N, 3, H, W] in 0..1."""
        y = x.permute(0, 3, 1, 2).to(torch.float32, memory_format=self._layout)
        return y.div_(255)


def turned(x: Tensor, flags: Tensor) -> Tensor:
    """`x` [N, H, H, 3] with each crop mirrored and turned as its flags say."""
    for flag in (HFLIP, VFLIP, TRANSPOSE):
        other = x.transpose(1, 2) if flag == TRANSPOSE else x.flip(2 if flag == HFLIP else 1)
        x = torch.where((flags & flag).bool()[:, None, None, None], other, x)
    return x
