"""The forecast of a run that trains: what its report will say, and when."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import Any

from srqueue.forecast.bands import Band, band_of
from srqueue.forecast.fitting import PRIOR, Fitted, Point, Prior, fit
from srqueue.forecast.gains import Gains
from srqueue.forecast.limits import NO_LIMITS, Limits
from srqueue.forecast.open_time import OpenTime
from srqueue.forecast.patience import Automata
from srqueue.forecast.playing import DOUBT, Doubt, Played, play, rest_of
from srqueue.forecast.schedule import areas, rate_share, warmed_share
from srqueue.forecast.timing import UNSURE, Speed, Unsure, measured
from srqueue.forecast.watched import Validation, Watched
from srqueue.spec.training import TrainSpec

FEWEST = 4
"""Validations from which a curve is fitted."""
ABOVE_BICUBIC = 0.3
"""dB over bicubic interpolation from which on."""


@dataclass(frozen=True)
class Tuning:
    """All that was tuned on recorded curves (benchmarks/forecast.py).

    `widened`: times what plays scatter by, so that four of five outcomes lie within (split conformal
    prediction: Papadopoulos et al., 2002; Romano, Patterson and Candes, 2019, arXiv 1905.03222).
    `rise`: share of what a curve has gained over bicubic interpolation that it may gain once more, though its
    fits foresee less: a young network may learn a second time after a plateau, and no fit can know. It holds
    until a quarter of the way and falls to nothing before half of it; nine of ten curves rose by less.
    """

    prior: Prior = PRIOR
    doubt: Doubt = DOUBT
    unsure: Unsure = UNSURE
    widened: float = 2.0
    rise: float = 0.69


TUNING = Tuning()


@dataclass(frozen=True)
class RunForecast:
    """Of the end of a run: seconds of training from now, PSNR (dB) and SSIM of its best weights, the
    iteration at which it ends.

    None where nothing is known. `made_from`: what it stands on, for people and for later.
    """

    iteration: int
    total: int
    seconds: Band | None = None
    psnr: Band | None = None
    ssim: Band | None = None
    ends_at: Band | None = None
    made_from: dict[str, Any] = field(default_factory=dict)

    def stored(self, now: float, limits: Limits = NO_LIMITS) -> dict[str, Any]:
        """As a record's progress has it: `end` in UTC s, bands as [low, middle, high]. `limits`: by whose
        windows time passes without training."""
        end = None
        if self.seconds is not None:
            hours = OpenTime(limits.windows, now)
            ends = [now + hours.after(0.0, s) for s in self.seconds.row(3)]
            end = [round(s, 1) for s in ends] if math.isfinite(ends[-1]) else None
        return {
            "made": round(now, 1), "iteration": self.iteration, "end": end,
            "psnr": self.psnr.row(3) if self.psnr else None,
            "ssim": self.ssim.row(5) if self.ssim else None,
            "ends_at": self.ends_at.row(0) if self.ends_at else None,
        }  # fmt: skip


def forecast_run(
    seen: Watched,
    train: TrainSpec,
    val_freq: int,
    speed: Speed | None = None,
    tuning: Tuning = TUNING,
    *,
    with_ssim: bool = True,
    limits: Limits = NO_LIMITS,
) -> RunForecast:
    """What a run will come to. `val_freq`: 0 where it does not validate; `speed`: where its own reports
    say none; `limits`: what ends it sooner."""
    own = measured(seen.reports, [v.seconds for v in seen.validations], tuning.unsure) or speed
    made_from: dict[str, Any] = {"validations": len(seen.validations), "reports": len(seen.reports)}
    made_from["speed"] = own.source if own else None
    kw = seen.kwh * 3600 / seen.spent if seen.kwh and seen.spent > 0 else None
    left = limits.left(seen.spent, seen.now, seen.kwh or 0.0, kw)
    by_clock = _reached(seen, val_freq, own, left)
    wanted = [at for at in (seen.decay_from, limits.decay_from(train, by_clock)) if at is not None]
    decay_from = min(wanted, default=None)
    last = limits.last(train, decay_from, by_clock)
    plays: list[Played] = []
    psnr = ssim = None
    if val_freq and len(seen.validations) >= FEWEST and seen.iteration < last and _speaks(seen):
        quality = _Quality(seen, train, val_freq, tuning, decay_from, last, limits.gains)
        if (found := quality.of_psnr()) is not None:
            fitted, plays = found
            best = max(v.psnr for v in seen.validations)
            psnr = band_of(p.best for p in plays).widened(tuning.widened, best)
            psnr = _with_rise(psnr, best, seen.bicubic, tuning.rise * _young(seen.iteration / last))
            ssim = quality.of_ssim([p.iteration for p in plays]) if with_ssim else None
            made_from["families"] = {name: round(w, 3) for name, w in fitted.families().items()}
            made_from["noise_db"] = round(fitted.noise, 5)
    ends = [p.iteration for p in plays] or [last]
    return RunForecast(
        seen.iteration, train.total_iter, _seconds(seen, val_freq, own, ends, left, by_clock), psnr, ssim,
        band_of(map(float, ends)), made_from,
    )  # fmt: skip


def _speaks(seen: Watched) -> bool:
    """Whether the curve tells of its end yet: a network that does not beat bicubic interpolation has not
    begun to learn what it will live by, and rises as it likes."""
    return seen.bicubic is None or seen.validations[-1].psnr >= seen.bicubic + ABOVE_BICUBIC


class _Quality:
    """PSNR and SSIM of one run from here on."""

    def __init__(
        self, seen: Watched, train: TrainSpec, val_freq: int, tuning: Tuning, decay_from: int | None,
        last: int, gains: Gains,
    ) -> None:  # fmt: skip
        self._seen, self._train, self._tuning = seen, train, tuning
        self._gains = gains
        self._young = _young(seen.iteration / last)
        self._validations = seen.validations
        at = [v.iteration for v in self._validations]
        shares = [self._share(v) for v in self._validations]
        self._areas, self._shares = areas(at, shares), shares
        newest = at[-1]
        by_schedule = rate_share(train, newest - 1, decay_from)
        factor = min(shares[-1] / by_schedule, 1.0) if by_schedule > 0 and newest > train.warmup_iter else 1.0
        self._rest = rest_of(train, val_freq, newest, self._areas[-1], factor, decay_from, last)

    def _share(self, validation: Validation) -> float:
        """Of the full rate, as it was reported, or else as the schedule has it; none is below a
        thousandth."""
        told = validation.rate
        full = self._train.optim_g.lr
        share = told / full if told is not None and full > 0 else None
        if share is None:
            share = warmed_share(self._train, validation.iteration - 1, self._seen.decay_from)
        return max(min(share, 1.0), 1e-3)

    def _fit(self, values: list[float]) -> Fitted | None:
        points = [Point(*row) for row in zip(self._areas, self._shares, values, strict=True)]
        return fit(points, self._tuning.prior)

    def of_psnr(self) -> tuple[Fitted, list[Played]] | None:
        """The fits, and the rest as it was played."""
        values = [v.psnr for v in self._validations]
        fitted = self._fit(values)
        if fitted is None:
            return None
        pairs = [(v.iteration, v.psnr) for v in self._validations]
        automata = Automata.of(self._train).seen(pairs)
        decay_from = self._seen.decay_from
        best = max(values)
        pace = self._seen.spent / self._seen.iteration if self._seen.spent > 0 else None
        gains = self._gains.seen(pairs, pace) if self._gains else None
        return fitted, play(
            fitted, self._rest, best, automata, decay_from=decay_from, gains=gains, doubt=self._tuning.doubt
        )  # fmt: skip

    def of_ssim(self, ends: list[int]) -> Band | None:
        """On the scale on which it grows as PSNR does: -10 log10(1 - SSIM)."""
        values = [_decibels(v.ssim) for v in self._validations]
        fitted = self._fit(values)
        if fitted is None:
            return None
        best = max(self._validations, key=lambda v: v.psnr).ssim
        plays = play(fitted, self._rest, _decibels(best), ends=ends, doubt=self._tuning.doubt)
        found = band_of(p.best for p in plays).widened(self._tuning.widened, _decibels(best))
        told = self._seen.bicubic_ssim
        over = None if told is None else _decibels(told)
        found = _with_rise(found, _decibels(best), over, self._tuning.rise * self._young)
        return Band(_ssim(found.low), _ssim(found.middle), _ssim(found.high))


def _young(share: float) -> float:
    """1 until a quarter of the way, 0 from 45 % of it on, where bands hold what they say without it."""
    return min(max((0.45 - share) / 0.2, 0.0), 1.0)


def _with_rise(band: Band, best: float, bicubic: float | None, rise: float) -> Band:
    """A band, and above its middle what may be gained once more."""
    if bicubic is None or best <= bicubic:
        return band
    return band.raised(band.middle + rise * (best - bicubic))


def _decibels(ssim: float) -> float:
    return -10.0 * math.log10(max(1.0 - ssim, 1e-6))


def _ssim(decibels: float) -> float:
    return 1.0 - math.pow(10.0, -decibels / 10.0)


def _reached(seen: Watched, val_freq: int, speed: Speed | None, left: float | None) -> int | None:
    """The iteration at which a clock that has so many seconds left will end it."""
    if left is None or speed is None:
        return None
    return seen.iteration + int(left / speed.seconds(1, 1 / val_freq if val_freq else 0))


def _seconds(
    seen: Watched, val_freq: int, speed: Speed | None, ends: list[int], left: float | None,
    by_clock: int | None,
) -> Band | None:  # fmt: skip
    """From the newest event on; not longer than a clock leaves."""
    if speed is None:
        return None
    dice = random.Random(len(ends))
    many = ends if len(ends) > 1 else ends * 60
    found = []
    for end in many:
        due = (-(-end // val_freq) - seen.iteration // val_freq) if val_freq else 0
        middle = speed.seconds(max(end - seen.iteration, 0), max(due, 0))
        takes = middle * math.exp(speed.doubt * dice.gauss(0.0, 1.0))
        if left is not None:
            takes = left if end == by_clock else min(takes, left)
        found.append(takes)
    return band_of(found)
