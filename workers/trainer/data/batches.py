"""Batches: crops of the pictures that an iteration draws, put into one preallocated tensor."""

from __future__ import annotations

import torch
from torch import Tensor

from srqueue.errors import DataError
from srqueue.spec.job import TrainSetSpec
from workers.trainer.data.pictures import Pictures
from workers.trainer.data.resize import Pixels
from workers.trainer.sampling import Draws, draw, place

_PLANNED = 32
"""Iterations that are drawn at once; numpy costs per call here, not per number."""

_STAGES = 3
"""Pinned buffers on CUDA: the host may be that many batches ahead of the device."""


class Batches:
    """`batches[i]` is what iteration i (0-based) trains on, whatever was asked before."""

    def __init__(
        self, pictures: Pictures, spec: TrainSetSpec, seed: int, device: torch.device, channels_last: bool
    ) -> None:
        self._pictures, self._spec, self._seed, self._device = pictures, spec, seed, device
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        self._check_sizes()
        self._plan: Draws | None = None
        self._first = 0
        sides = (spec.lq_size, spec.lq_size * pictures.scale)
        cuda = device.type == "cuda"
        self._stages = [
            _Stage(
                [torch.empty((spec.batch_size, n, n, 3), dtype=torch.uint8, pin_memory=cuda) for n in sides]
            )
            for _ in range(_STAGES if cuda else 1)
        ]

    def __getitem__(self, iteration: int) -> tuple[Tensor, Tensor]:
        """(LR, HR) on the device: RGB [N, 3, H, W] float32 in 0..1."""
        stage = self._stages[iteration % len(self._stages)]
        stage.wait()
        plan, row = self._drawn(iteration)
        for slot in range(self._spec.batch_size):
            self._cut(plan, row, slot, stage.lr[slot], stage.hr[slot])
        # uint8 travels to the device, a quarter of the bytes; it becomes float there.
        pair = [self._to_float(t.to(self._device, non_blocking=True)) for t in stage.tensors]
        stage.sent(self._device)
        return pair[0], pair[1]

    def _drawn(self, iteration: int) -> tuple[Draws, int]:
        block = iteration // _PLANNED * _PLANNED
        if self._plan is None or block != self._first:
            self._plan = draw(self._seed, block, _PLANNED, self._spec.batch_size, len(self._pictures))
            self._first = block
        return self._plan, iteration - block

    def _cut(self, plan: Draws, row: int, slot: int, lr_out: Pixels, hr_out: Pixels) -> None:
        """Writes one crop, mirrored and turned as drawn, into its place in the batch."""
        pair = self._pictures[int(plan.picture[row, slot])]
        side, scale = self._spec.lq_size, self._pictures.scale
        top = place(plan.top[row, slot], pair.lr.shape[0] - side + 1)
        left = place(plan.left[row, slot], pair.lr.shape[1] - side + 1)
        hflip = self._spec.use_hflip and plan.hflip[row, slot]
        vflip = self._spec.use_rot and plan.vflip[row, slot]
        transpose = self._spec.use_rot and plan.transpose[row, slot]
        for source, out, k in ((pair.lr, lr_out, 1), (pair.hr, hr_out, scale)):
            crop = source[top * k : (top + side) * k, left * k : (left + side) * k]
            if hflip:
                crop = crop[:, ::-1]
            if vflip:
                crop = crop[::-1]
            out[...] = crop.transpose(1, 0, 2) if transpose else crop

    def _to_float(self, x: Tensor) -> Tensor:
        """uint8 [N, H, W, 3] -> float32 [N, 3, H, W] in 0..1."""
        y = x.permute(0, 3, 1, 2).to(torch.float32, memory_format=self._format)
        return y.div_(255)

    def _check_sizes(self) -> None:
        side = self._spec.lq_size
        for index, picture in enumerate(self._pictures.pictures):
            if min(self._pictures.lr_size(index)) < side:
                raise DataError(
                    f"a picture of {picture.width}x{picture.height} is smaller than the crop of "
                    f"{side * self._pictures.scale} pixels",
                    where=picture.path,
                    hint="lower datasets.train.lq_size",
                )


class _Stage:
    """Host buffers of one batch, and when the device has read them."""

    def __init__(self, tensors: list[Tensor]) -> None:
        self.tensors = tensors
        self.lr, self.hr = (t.numpy() for t in tensors)
        self._read: torch.cuda.Event | None = None

    def wait(self) -> None:
        """Returns when the buffers may be written again."""
        if self._read is not None:
            self._read.synchronize()

    def sent(self, device: torch.device) -> None:
        """Notes that copies were queued."""
        if device.type == "cuda":
            self._read = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._read.record()  # after the copies, on the current stream
