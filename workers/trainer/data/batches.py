"""Batches: crops of the pictures that an iteration draws, put into one preallocated tensor."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srqueue.errors import DataError
from srqueue.spec.job import TrainSetSpec
from workers.trainer.data.degrade import Degradations
from workers.trainer.data.pictures import Pictures
from workers.trainer.data.quarantine import Quarantine
from workers.trainer.data.resize import Pixels
from workers.trainer.sampling import Draws, draw, instead, place

Slot = tuple[int, int, int, bool, bool, bool]
"""picture, top, left, hflip, vflip, transpose, as in Draws."""

_PIXEL = np.dtype("V3")

_PLANNED = 32
"""Iterations that are drawn at once; numpy costs per call here, not per number."""

_STAGES = 3
"""Pinned buffers on CUDA: the host may be that many batches ahead of the device."""


class Batches:
    """`batches[i]` is what iteration i (0-based) trains on, whatever was asked before.

    It is a function of the seed, i and the pictures in `quarantine`, whose draws go to others. A batch holds
    all crops of an optimizer step: those of `accum_iter` batches.
    """

    def __init__(
        self,
        pictures: Pictures,
        spec: TrainSetSpec,
        seed: int,
        device: torch.device,
        channels_last: bool,
        quarantine: Quarantine | None = None,
    ) -> None:
        self._pictures, self._spec, self._seed, self._device = pictures, spec, seed, device
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        self._degradations = Degradations(spec.degradations, seed)
        self._quarantine = quarantine or Quarantine(pictures, [])
        self._check_sizes()
        self._plan: list[list[Slot]] = []
        self._first = -_PLANNED
        sides = (spec.lq_size, spec.lq_size * pictures.scale)
        cuda = device.type == "cuda"
        self._stages = [
            _Stage(
                [
                    torch.empty((spec.effective_batch, n, n, 3), dtype=torch.uint8, pin_memory=cuda)
                    for n in sides
                ]
            )
            for _ in range(_STAGES if cuda else 1)
        ]

    @property
    def pictures(self) -> Pictures:
        """What the crops are cut out of."""
        return self._pictures

    def __getitem__(self, iteration: int) -> tuple[Tensor, Tensor]:
        """(LR, HR) on the device: RGB [N, 3, H, W] float32 in 0..1."""
        stage = self._stages[iteration % len(self._stages)]
        stage.wait()
        while not self._fill(stage, iteration):
            self._first = -_PLANNED  # planned again without the picture that could not be read
        # uint8 travels to the device, a quarter of the bytes; it becomes float there.
        pair = [self._to_float(t.to(self._device, non_blocking=True)) for t in stage.tensors]
        stage.sent(self._device)
        lr, hr = pair
        return (self._degradations(lr, hr, iteration) if self._degradations else lr), hr

    def _fill(self, stage: _Stage, iteration: int) -> bool:
        """Cuts the crops of an iteration; False where a picture could not be read, which is left out now."""
        for place_in_batch, slot in enumerate(self._drawn(iteration)):
            try:
                self._cut(slot, stage.lr[place_in_batch], stage.hr[place_in_batch])
            except DataError as error:
                self._quarantine.add(slot[0], error)
                return False
        return True

    def _drawn(self, iteration: int) -> list[Slot]:
        first = iteration // _PLANNED * _PLANNED
        if first != self._first:
            drawn = draw(self._seed, first, _PLANNED, self._spec.effective_batch, len(self._pictures))
            self._plan, self._first = self._readable(_as_slots(drawn), first), first
        return self._plan[iteration - first]

    def _readable(self, plan: list[list[Slot]], first: int) -> list[list[Slot]]:
        """`plan` with another picture wherever one was drawn that cannot be read."""
        bad = self._quarantine.indices
        if not bad:
            return plan
        size, count = self._spec.effective_batch, len(self._pictures)

        def readable(slot: Slot, position: int) -> Slot:
            if slot[0] not in bad:
                return slot
            other = instead(self._seed, position, count, bad)
            return slot if other is None else (other, *slot[1:])

        return [
            [readable(slot, (first + row) * size + column) for column, slot in enumerate(slots)]
            for row, slots in enumerate(plan)
        ]

    def _cut(self, slot: Slot, lr_out: Pixels, hr_out: Pixels) -> None:
        """Writes one crop, mirrored and turned as drawn, into its place in the batch."""
        picture, top_word, left_word, hflip, vflip, transpose = slot
        pair = self._pictures[picture]
        side, turned = self._spec.lq_size, self._spec.use_rot
        top = place(top_word, pair.lr.shape[0] - side + 1)
        left = place(left_word, pair.lr.shape[1] - side + 1)
        for source, out, k in ((pair.lr, lr_out, 1), (pair.hr, hr_out, self._pictures.scale)):
            crop = _whole(source)[top * k : (top + side) * k, left * k : (left + side) * k]
            if hflip and self._spec.use_hflip:
                crop = crop[:, ::-1]
            if vflip and turned:
                crop = crop[::-1]
            _whole(out)[...] = crop.T if transpose and turned else crop

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


def _as_slots(drawn: Draws) -> list[list[Slot]]:
    """[iteration][slot]: plain Python values, which are much faster to take out one by one."""
    columns = (drawn.picture, drawn.top, drawn.left, drawn.hflip, drawn.vflip, drawn.transpose)
    return [list(zip(*rows, strict=True)) for rows in zip(*(c.tolist() for c in columns), strict=True)]


def _whole(picture: Pixels) -> NDArray[np.void]:
    """[H, W, 3] seen as [H, W] items of three bytes: numpy mirrors them twice as fast."""
    return picture.view(_PIXEL)[..., 0]


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
