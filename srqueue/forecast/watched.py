"""What a forecast needs of a run's events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from srqueue.forecast.timing import Report
from srqueue.run.events import Event

_REPORTS_KEPT = 400


@dataclass(frozen=True)
class Validation:
    """One validation; PSNR in dB, `seconds` that it took, `rate`: of the step before it, None where
    nobody said."""

    iteration: int
    psnr: float
    ssim: float
    seconds: float
    rate: float | None = None


@dataclass
class Watched:
    """A run as far as it has come. Iterations that are trained again count once."""

    validations: list[Validation] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    iteration: int = 0
    bicubic: float | None = None  # dB
    bicubic_ssim: float | None = None
    rate: float | None = None
    decay_from: int | None = None  # where early stopping began the decay of a WSD schedule
    kwh: float | None = None  # of all attempts together, where they tell
    spent: float = 0.0  # s of all attempts together, about: without what lies between them
    now: float | None = None  # UTC s of the newest event
    token: int | None = None  # of the newest attempt

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """After all of these, in the order in which they were written."""
        found = cls()
        for event in events:
            found.see(event)
        return found

    def see(self, event: Event) -> bool:
        """Takes in one event; whether it was a validation."""
        data = event.data
        if event.kind == "checkpoint":  # it may tell of an earlier one, written meanwhile
            return False
        if event.token == self.token and self.now is not None:
            self.spent += max(event.t - self.now, 0.0)
        self.now, self.token = event.t, event.token
        if event.it < self.iteration or (event.kind == "phase" and data.get("phase") == "restored"):
            self._go_back(event.it)
        self.iteration = event.it
        self.kwh = _number(data.get("kwh")) or self.kwh
        if event.kind == "train" and isinstance(data.get("it_s"), int | float):
            self.rate = _number(data.get("lr"))
            self.reports.append(Report(event.it, event.t, event.token, float(data["it_s"])))
            del self.reports[: -_REPORTS_KEPT or None]
        elif event.kind == "action" and "started the decay" in str(data.get("did")):
            self.decay_from = event.it
        elif event.kind == "val":
            return self._validated(event)
        return False

    def _validated(self, event: Event) -> bool:
        psnr, ssim = _number(event.data.get("val/psnr")), _number(event.data.get("val/ssim"))
        if psnr is None or ssim is None:
            return False
        self._drop_validations(event.it - 1)  # what was said of this very iteration is said anew
        seconds = _number(event.data.get("seconds")) or 0.0
        self.validations.append(Validation(event.it, psnr, ssim, seconds, self.rate))
        self.bicubic = _number(event.data.get("bicubic/psnr"))
        self.bicubic_ssim = _number(event.data.get("bicubic/ssim"))
        return True

    def _go_back(self, iteration: int) -> None:
        self._drop_validations(iteration)
        while self.reports and self.reports[-1].iteration > iteration:
            self.reports.pop()
        if self.decay_from is not None and self.decay_from > iteration:
            self.decay_from = None

    def _drop_validations(self, iteration: int) -> None:
        while self.validations and self.validations[-1].iteration > iteration:
            self.validations.pop()


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
