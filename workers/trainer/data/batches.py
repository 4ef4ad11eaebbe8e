"""Batches: crops of the pictures that an iteration draws, as tensors on the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from srqueue.errors import DataError
from srqueue.spec.job import TrainSetSpec
from workers.trainer import heart
from workers.trainer.data.ahead import Ahead
from workers.trainer.data.cutting import Cutter, Unreadable
from workers.trainer.data.degrade import Degradations
from workers.trainer.data.pictures import Pictures
from workers.trainer.data.quarantine import Quarantine
from workers.trainer.data.stages import Stage, Transfer
from workers.trainer.loading import Loading


@dataclass(frozen=True)
class _Sent:
    """A batch on its way: the pictures in it, and its tensors on the device."""

    iteration: int
    pictures: set[int]
    tensors: tuple[Tensor, ...]
    stage: Stage


class Batches:
    """`batches[i]` is what iteration i (0-based) trains on, whatever was asked before.

    It is a function of the seed, i and the pictures in `quarantine`, whose draws go to others. A batch holds
    all crops of an optimizer step: those of `accum_iter` batches. `loading` says how far they are made
    ahead; a picture that cannot be read is noticed when it is its batch's turn. `each` is called for every
    batch, by whoever asks.
    """

    def __init__(
        self,
        pictures: Pictures,
        spec: TrainSetSpec,
        seed: int,
        device: torch.device,
        channels_last: bool,
        quarantine: Quarantine | None = None,
        loading: Loading | None = None,
        each: Callable[[], None] = lambda: None,
    ) -> None:
        self._pictures, self._spec, self._each = pictures, spec, each
        self._degradations = Degradations(spec.degradations, seed)
        self._quarantine = quarantine or Quarantine(pictures, [])
        self._check_sizes()
        loading = loading or Loading()
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self._transfer = Transfer(device, layout, loading.turn_on_device)
        cutter, quarantined = Cutter(pictures, spec, seed, not loading.turn_on_device), self._quarantine

        def make(stage: Stage, iteration: int) -> set[int]:
            return cutter.fill(stage, iteration, frozenset(quarantined.indices))

        self._make = make
        cuda = device.type == "cuda"
        # One is in use; on CUDA two more may still be read by copies that wait for their turn.
        self._stages = self._new_stages(loading.depth + (3 if cuda else 1), pinned=cuda)
        self._ahead = None
        if loading.depth:
            self._ahead = Ahead(make, self._stages, loading.depth, loading.threads)
        self._early = cuda  # on CUDA the next batch travels while this one is trained on
        self._sent: _Sent | None = None
        self._seen = 0

    @property
    def pictures(self) -> Pictures:
        """What the crops are cut out of."""
        return self._pictures

    def __getitem__(self, iteration: int) -> tuple[Tensor, Tensor]:
        """(LR, HR) on the device: RGB [N, 3, H, W] float32 in 0..1."""
        self._each()
        sent, self._sent = self._sent, None
        if sent is None or sent.iteration != iteration or sent.pictures & self._quarantine.indices:
            self._give_back(sent)
            sent = self._send(iteration)
        lr, hr = self._transfer.receive(sent.tensors)
        self._give_back(sent)
        if self._ahead is not None and self._early and (ready := self._ahead.take_ready(iteration + 1)):
            stage, made = ready
            self._sent = _Sent(iteration + 1, made or set(), self._transfer.send(stage), stage)
        return (self._degradations(lr, hr, iteration) if self._degradations else lr), hr

    def close(self) -> None:
        """Ends what works ahead. Batches can still be asked for, each by itself."""
        if self._ahead is not None:
            self._ahead.close()
            # Its threads may be at the old ones for a moment longer.
            self._ahead, self._sent, self._stages = None, None, self._new_stages(1, pinned=False)

    def _new_stages(self, count: int, pinned: bool) -> list[Stage]:
        sides = (self._spec.lq_size, self._spec.lq_size * self._pictures.scale)
        return [Stage(self._spec.effective_batch, *sides, pinned=pinned) for _ in range(count)]

    def _send(self, iteration: int) -> _Sent:
        """A batch that was made ahead and still holds, or one that is made now."""
        if self._ahead is not None:
            stage, made = self._ahead.take(iteration, self._beat)
        else:
            stage, made = self._stages[iteration % len(self._stages)], None
            stage.wait()
        while made is None or made & self._quarantine.indices:
            try:
                made = self._make(stage, iteration)
            except Unreadable as bad:
                self._quarantine.add(bad.picture, bad.error)
        return _Sent(iteration, made, self._transfer.send(stage), stage)

    def _give_back(self, sent: _Sent | None) -> None:
        if sent is not None and self._ahead is not None:
            self._ahead.give(sent.stage)

    def _beat(self) -> None:
        """A sign of life while threads decode, where they do."""
        if self._seen != self._pictures.decoded:
            self._seen = self._pictures.decoded
            heart.beat()

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
