"""A step of the trainer on made-up crops: what is measured before, or without, a run."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from srqueue.spec.job import JobSpec
from workers.trainer import heart
from workers.trainer.archs import build_network
from workers.trainer.losses.weighted import WeightedLosses
from workers.trainer.optim.ema import Ema
from workers.trainer.step import Step

RATE = 1e-3
"""Of the spec's rate: nothing is learned from made-up crops, and nothing should grow out of bounds."""


class Trial:
    """Network, losses, optimizer and moving average of a resolved spec, on a batch that never changes."""

    def __init__(self, spec: JobSpec, device: torch.device) -> None:
        self._device, self._rate = device, spec.train.optim_g.lr * RATE
        torch.manual_seed(spec.manual_seed)  # initial weights
        layout = torch.channels_last if spec.compute.channels_last else torch.contiguous_format
        self.net = build_network(spec.network_g, spec.scale)
        self.net = self.net.to(device, memory_format=layout)  # type: ignore[call-overload]
        self.net.train()
        losses = WeightedLosses(spec.train.losses).to(device)
        self.step = Step(self.net, losses, spec, device, lambda action: None)
        self.ema = Ema(self.net, spec.train.ema_decay)
        train = spec.datasets.train
        self._lr, self._hr = (
            made_up(train.effective_batch, side, device).contiguous(memory_format=layout)
            for side in (train.lq_size, train.lq_size * spec.scale)
        )
        self._done = 0

    def steps(self, most: int, seconds: float, least: int = 1) -> tuple[int, float]:
        """Trains up to `most` times or so many seconds, `least` times at any rate: (how often, seconds).

        On a CPU with one thread these are seconds of CPU, which other work on the machine does not lengthen.
        """
        alone = self._device.type == "cpu" and torch.get_num_threads() == 1
        clock = time.process_time if alone else time.perf_counter
        begun, count = clock(), 0
        while count < most and (count < least or clock() - begun < seconds):
            self._done += 1
            self.step(self._lr, self._hr, self._rate)
            self.ema.update(self._done)
            count += 1
            if self._device.type == "cpu" or count % 10 == 0:
                wait_for(self._device)
                heart.beat()
        wait_for(self._device)
        return count, clock() - begun


def made_up(count: int, side: int, device: torch.device) -> Tensor:
    """[count, 3, side, side] in 0..1 that is no constant."""
    numbers = torch.arange(count * 3 * side * side, device=device) * 2654435761 % 251
    return (numbers.to(torch.float32) / 250).reshape(count, 3, side, side)


def wait_for(device: torch.device) -> None:
    """Returns when a GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
