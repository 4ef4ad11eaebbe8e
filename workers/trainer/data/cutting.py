"""Cutting the crops of an iteration into host buffers: a function of seed, iteration and bad pictures."""

from __future__ import annotations

import threading
from collections.abc import Set

import numpy as np
from numpy.typing import NDArray

from srqueue.errors import DataError
from srqueue.spec.job import TrainSetSpec
from workers.pixels import Pixels
from workers.trainer.data.pictures import Pictures
from workers.trainer.data.stages import HFLIP, TRANSPOSE, VFLIP, Stage
from workers.trainer.sampling import Draws, draw, instead, place

Slot = tuple[int, int, int, bool, bool, bool]
"""picture, top, left, hflip, vflip, transpose, as in Draws."""

_PIXEL = np.dtype("V3")

_PLANNED = 32
"""Iterations that are drawn at once; numpy costs per call here, not per number."""

_PLANS = 4
"""Of so many such runs: threads work on neighbouring ones."""


class Unreadable(Exception):
    """A picture that was drawn cannot be read."""

    def __init__(self, picture: int, error: DataError) -> None:
        super().__init__(str(error))
        self.picture, self.error = picture, error


class Cutter:
    """Fills stages. Several threads may use it at once.

    `turn`: crops are mirrored and turned here; else the stage gets flags that say how.
    """

    def __init__(self, pictures: Pictures, spec: TrainSetSpec, seed: int, turn: bool) -> None:
        self._pictures, self._spec, self._seed, self._turn = pictures, spec, seed, turn
        self._plans: dict[tuple[int, int], list[list[Slot]]] = {}
        self._lock = threading.Lock()

    def fill(self, stage: Stage, iteration: int, bad: Set[int]) -> set[int]:
        """Writes the crops of an iteration (0-based) that leaves out `bad`; the pictures that they are of.

        Raises Unreadable for the first one that cannot be read, in the order of the slots.
        """
        slots = self._drawn(iteration, bad)
        for number, slot in enumerate(slots):
            try:
                self._cut(slot, stage, number)
            except DataError as error:
                raise Unreadable(slot[0], error) from None
        return {slot[0] for slot in slots}

    def _drawn(self, iteration: int, bad: Set[int]) -> list[Slot]:
        """Bad pictures only ever become more within a run, so their number names them."""
        first = iteration // _PLANNED * _PLANNED
        with self._lock:
            plan = self._plans.get((first, len(bad)))
            if plan is None:
                size = self._spec.effective_batch
                drawn = draw(self._seed, first, _PLANNED, size, len(self._pictures))
                plan = self._plans[first, len(bad)] = self._readable(_as_slots(drawn), first, bad)
                while len(self._plans) > _PLANS:
                    del self._plans[next(iter(self._plans))]
            return plan[iteration - first]

    def _readable(self, plan: list[list[Slot]], first: int, bad: Set[int]) -> list[list[Slot]]:
        """`plan` with another picture wherever one was drawn that cannot be read."""
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

    def _cut(self, slot: Slot, stage: Stage, number: int) -> None:
        """Writes one crop, mirrored and turned as drawn, into its place in the batch."""
        picture, top_word, left_word, hflip, vflip, transpose = slot
        side, turned = self._spec.lq_size, self._spec.use_rot
        hflip, vflip, transpose = hflip and self._spec.use_hflip, vflip and turned, transpose and turned
        height, width = self._pictures.lr_size(picture)
        crops = self._pictures.crop(
            picture, place(top_word, height - side + 1), place(left_word, width - side + 1), side
        )
        if not self._turn:
            stage.flags[number] = HFLIP * hflip | VFLIP * vflip | TRANSPOSE * transpose
        for source, out in zip(crops, (stage.lr[number], stage.hr[number]), strict=True):
            crop = _whole(source)
            if self._turn:
                if hflip:
                    crop = crop[:, ::-1]
                if vflip:
                    crop = crop[::-1]
                if transpose:
                    crop = crop.T
            _whole(out)[...] = crop


def _as_slots(drawn: Draws) -> list[list[Slot]]:
    """[iteration][slot]: plain Python values, which are much faster to take out one by one."""
    columns = (drawn.picture, drawn.top, drawn.left, drawn.hflip, drawn.vflip, drawn.transpose)
    return [list(zip(*rows, strict=True)) for rows in zip(*(c.tolist() for c in columns), strict=True)]


def _whole(picture: Pixels) -> NDArray[np.void]:
    """[H, W, 3] seen as [H, W] items of three bytes: numpy mirrors them twice as fast."""
    return picture.view(_PIXEL)[..., 0]
