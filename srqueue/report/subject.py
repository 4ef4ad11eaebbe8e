"""Subject: one training as a report sees it, wherever its figures lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from srqueue.curves import History
from srqueue.report.energy import Energy
from srqueue.run.scores import Scores
from srqueue.spec.layers import get_path


@dataclass(frozen=True, kw_only=True)
class Try:
    """One attempt. Times are UTC s; `reason` and `message` are empty where it has not ended."""

    token: int
    where: str = ""
    device: str = ""
    begun: float | None = None
    ended: float | None = None
    from_iteration: int = 0
    iteration: int | None = None
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Crop:
    """One place of a validation picture as PNGs: `model` by iteration, oldest first."""

    name: str
    bicubic: bytes
    original: bytes
    model: Mapping[int, bytes]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Pictures of a run: crops to wipe between, or else the sheet (PNG) that its export has."""

    crops: Sequence[Crop] = ()
    sheet: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A training. `figures`: metric key -> value of its end or newest report; `marks`: numerics fingerprints,
    the first and each that differed from the one before; `remarks`: what a reader should know of the source.
    """

    id: str
    name: str
    state: str
    spec: Mapping[str, Any]
    history: History
    origins: Mapping[str, str] = field(default_factory=dict)
    spec_id: str = ""
    reason: str = ""
    message: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    tries: Sequence[Try] = ()
    fingerprints: Sequence[Mapping[str, Any]] = ()
    energy: Energy | None = None
    gallery: Gallery = field(default_factory=Gallery)
    scores: Scores | None = None  # None of an export of an older version, too
    remarks: Sequence[str] = ()
    forecasts: Sequence[Mapping[str, Any]] = ()  # as they were kept, oldest first

    @property
    def short_id(self) -> str:
        """The end of the id."""
        return self.id[-6:].lower()

    @property
    def label(self) -> str:
        """What names it beside others."""
        return f"{self.name} {self.short_id}"

    @property
    def total_iter(self) -> int:
        """Iterations it was to train."""
        return int(self.value("train.total_iter") or 0)

    def value(self, path: str) -> Any:
        """A value of the spec by its dotted path, or None."""
        return get_path(self.spec, path)

    def best(self, metric: str) -> float | None:
        """The best `psnr` or `ssim` (that of the best weights, where the run says which), or None."""
        told = self.figures.get(f"best/{metric}")
        curve = self.history.curves.get(f"val/{metric}")
        return told if told is not None else max(curve.values, default=None) if curve else None

    def bicubic(self, metric: str) -> float | None:
        """What interpolation reaches on the same pictures, or None."""
        told = self.figures.get(f"bicubic/{metric}")
        curve = self.history.curves.get(f"bicubic/{metric}")
        return told if told is not None else curve.last if curve else None

    @property
    def gain(self) -> float | None:
        """dB above bicubic."""
        best, base = self.best("psnr"), self.bicubic("psnr")
        return None if best is None or base is None else best - base
