"""A stored forecast in words: `ends Sat 14:10 ± 40 min at 31.42 ± 0.06 dB`."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from srqueue.counting import span
from srqueue.forecast.bands import Band

_FAR = 6 * 86400
"""Seconds beyond which a day of the week would not say which."""


@dataclass(frozen=True)
class Told:
    """What a job's progress says of its end: `end` in UTC s, `psnr` in dB; None where it says nothing of
    it."""

    made: float
    iteration: int
    end: Band | None
    psnr: Band | None
    ssim: Band | None
    ends_at: Band | None  # iteration

    @classmethod
    def of(cls, progress: Mapping[str, Any]) -> Self | None:
        """Out of a record's progress; None where there is none, or it is of another version."""
        raw = progress.get("forecast")
        if not isinstance(raw, Mapping) or not isinstance(raw.get("made"), int | float):
            return None
        bands = {key: _band(raw.get(key)) for key in ("end", "psnr", "ssim", "ends_at")}
        return cls(made=float(raw["made"]), iteration=int(raw.get("iteration") or 0), **bands)

    def left(self, now: float) -> str | None:
        """`2.1 h ± 12 min`, at `now` (UTC s)."""
        if self.end is None:
            return None
        return f"{span(self.end.middle - now)} ± {span(self.end.half)}"

    def quality(self) -> str | None:
        """`31.42 ± 0.06 dB`."""
        return None if self.psnr is None else f"{plus_minus(self.psnr)} dB"

    def sentence(self, now: float) -> str | None:
        """`ends Sat 14:10 ± 40 min at 31.42 ± 0.06 dB`."""
        parts = []
        if self.end is not None:
            parts.append(f"ends {clock(self.end.middle, now)} ± {span(self.end.half)}")
        if self.psnr is not None:
            parts.append(f"at {plus_minus(self.psnr)} dB")
        return " ".join(parts) or None


def plus_minus(band: Band, digits: int = 2) -> str:
    """`31.42 ± 0.06`; half the band is rounded up, so that it never says less than is known."""
    half = math.ceil(band.half * 10**digits - 1e-9) / 10**digits
    return f"{(band.low + band.high) / 2:.{digits}f} ± {half:.{digits}f}"


def clock(moment: float, now: float) -> str:
    """A moment to come in local time: `14:10`, `Sat 14:10`, `2026-03-01 14:10`."""
    then, today = time.localtime(moment), time.localtime(now)
    if (then.tm_year, then.tm_yday) == (today.tm_year, today.tm_yday):
        return time.strftime("%H:%M", then)
    return time.strftime("%a %H:%M" if abs(moment - now) < _FAR else "%Y-%m-%d %H:%M", then)


def _band(raw: Any) -> Band | None:
    if not isinstance(raw, list) or len(raw) != 3 or not all(isinstance(x, int | float) for x in raw):
        return None
    return Band(*map(float, raw))
