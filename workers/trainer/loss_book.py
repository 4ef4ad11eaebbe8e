"""LossBook: the losses of single iterations, read back from the device in lots and counted on the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class LossBook:
    """Gives every loss to `observe` (weighted by `given`), to the next report, and to the next validation.

    Sums are kept in double precision, iteration by iteration, so they do not depend on when they are read.
    """

    def __init__(
        self,
        given: Sequence[float],
        observe: Callable[[float], object],
        since_validation: Sequence[float] = (0.0, 0),
    ) -> None:
        self._given, self._observe = tuple(given), observe
        self._waiting: list[Tensor] = []
        self.since_validation = list(since_validation)
        """Sum and count of the weighted losses."""
        self._report = [0.0] * len(self._given)
        self._reported = 0

    def add(self, values: Tensor) -> None:
        """The losses [len(given)] of the next iteration, still on the device."""
        self._waiting.append(values)

    def read(self) -> None:
        """Reads back what waits on the device."""
        rows: list[list[float]] = torch.stack(self._waiting).tolist() if self._waiting else []
        self._waiting = []
        for row in rows:
            loss = sum(value * weight for value, weight in zip(row, self._given, strict=True))
            self._observe(loss)
            total, count = self.since_validation
            self.since_validation = [total + loss, count + 1]
            self._report = [total + value for total, value in zip(self._report, row, strict=True)]
            self._reported += 1

    @property
    def unreported(self) -> int:
        """Iterations since the last report."""
        return self._reported + len(self._waiting)

    def report(self) -> tuple[list[float], int]:
        """(mean of each loss since the last report, over how many iterations)."""
        self.read()
        steps = self._reported
        means = [total / max(1, steps) for total in self._report]
        self._report, self._reported = [0.0] * len(self._given), 0
        return means, steps

    def train_loss(self) -> float:
        """Mean weighted loss of the iterations since the last validation; 0 where there are none."""
        self.read()
        total, count = self.since_validation
        return total / max(1, count)

    def validated(self) -> None:
        """Begins to count for the next validation."""
        self.since_validation = [0.0, 0]
