"""Forecasts of runs that have not begun, from runs that have ended."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Self

from srqueue.forecast.bands import Band
from srqueue.forecast.kinds import Key, family_of, kind_of, validated_of, validations_of, work_of
from srqueue.forecast.limits import Limits
from srqueue.forecast.running import RunForecast
from srqueue.forecast.timing import Speed
from srqueue.spec.job import JobSpec

_Z80 = 1.2816
"""An 80 % band of a normal distribution is so many standard deviations to either side."""
_MOST = 12
_SEEDS_DB = 0.05
_SIMILAR_DB = 0.25
"""Least standard deviation between runs of one kind, and of a similar one, dB; the former is what seeds
make on Set5 (benchmarks/results/quality.json: up to 0.1 between the least and the most of three)."""
_DB_OF_SSIM = 0.005  # see ONE_DB in srqueue.spec.automations
_LONGER = 3.0  # times: how far another length may be to tell something
_SAME_DEVICE, _OTHER_DEVICE, _UNTIMED = 0.1, 0.6, 0.3


@dataclass(frozen=True)
class Ended:
    """What is known of a run: `it_s` and `validation_s` as it told them last; `psnr` (dB) and `ssim` only
    of one that came to its end; `iterations` that it trained; `device`: name of the device, `cuda`
    whether that is a GPU."""

    name: str
    spec: JobSpec
    iterations: int
    it_s: float | None = None
    validation_s: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    device: str = ""
    cuda: bool | None = None


@dataclass
class Earlier:
    """Runs by what they tell something of, the newest first in each list."""

    by_work: dict[Key, list[Ended]] = field(default_factory=dict)
    by_kind: dict[Key, list[Ended]] = field(default_factory=dict)
    by_family: dict[Key, list[Ended]] = field(default_factory=dict)

    @classmethod
    def of(cls, runs: Iterable[Ended]) -> Self:
        """From runs, the newest first."""
        found = cls()
        for run in runs:
            if run.it_s:
                found.by_work.setdefault(work_of(run.spec), []).append(run)
            if run.psnr is not None:
                found.by_kind.setdefault(kind_of(run.spec), []).append(run)
                found.by_family.setdefault(family_of(run.spec), []).append(run)
        return found

    def speed(self, spec: JobSpec, cuda: bool | None = None, devices: Sequence[str] = ()) -> Speed | None:
        """Of the same work. `cuda`: on such a device only; `devices`: names of those that it may run on,
        of which figures are preferred; of others they are in more doubt."""
        runs = [r for r in self.by_work.get(work_of(spec), []) if None in (cuda, r.cuda) or r.cuda == cuda]
        same = [r for r in runs if not devices or any(r.device and r.device in d for d in devices)] or (
            runs if cuda is False else []
        )
        chosen = (same or runs)[:_MOST]
        rates = [r.it_s for r in chosen if r.it_s]
        if not rates:
            return None
        mine = validated_of(spec)
        # What another validation set takes says nothing of this one.
        alike = [r for r in (same or runs) if validated_of(r.spec) == mine] if mine else []
        spent = [r.validation_s for r in alike[:_MOST] if r.validation_s is not None]
        logs = [math.log(rate) for rate in rates]
        scatter = (max(logs) - min(logs)) / 3 if len(logs) > 2 else 0.0
        doubt = math.hypot(scatter, _SAME_DEVICE if same else _OTHER_DEVICE)
        source = f"job {chosen[0].name}" if len(chosen) == 1 else f"{len(chosen)} earlier jobs"
        if mine and not spent:
            doubt, source = math.hypot(doubt, _UNTIMED), f"{source}, without validations: none was timed"
        return Speed(median(rates), median(spent) if spent else 0.0, source, measured=True, doubt=doubt)

    def quality(self, spec: JobSpec, iterations: int | None = None) -> tuple[Band, Band | None, str] | None:
        """(PSNR in dB, SSIM, what they are from) of its best weights. `iterations`: where it ends sooner
        than all those of its kind."""
        if iterations is None and (same := self.by_kind.get(kind_of(spec))):
            return _bands(same[:_MOST], _SEEDS_DB, "of the same kind")
        total = spec.train.total_iter if iterations is None else iterations
        similar = [
            r for r in self.by_family.get(family_of(spec), [])
            if 1 / _LONGER <= total / max(r.iterations, 1) <= _LONGER
        ]  # fmt: skip
        if not similar:
            return None
        # What is nearest in length tells most.
        similar.sort(key=lambda r: abs(math.log(total / max(r.iterations, 1))))
        return _bands(similar[:_MOST], _SIMILAR_DB, "of the same network, data and schedule")


def before_start(
    spec: JobSpec,
    earlier: Earlier,
    cuda: bool | None = None,
    devices: Sequence[str] = (),
    known: Speed | None = None,
    *,
    rung: int | None = None,
    now: float | None = None,
    kw: float | None = None,
) -> RunForecast:
    """What a run that has not begun will take and reach, to the rung that it may train to. `known`: a speed,
    where there is no history of one; `now`: UTC s at which it would begin, where that is known; `kw`: what
    it is known to draw. Rules of a gain or of what is reached are not foreseen without a curve."""
    speed, limits = earlier.speed(spec, cuda, devices) or known, Limits.of(spec.stop, rung, [spec.window])
    total, seconds = spec.train.total_iter, None
    length = limits.length(total)
    if speed is not None:
        middle, most = speed.seconds(length, validations_of(spec, length)), limits.left(0.0, now, kw=kw)
        side = math.exp(_Z80 * speed.doubt)
        seconds = Band(middle / side, middle, middle * side)
        if most is not None and most < seconds.high:
            length = min(length, round(length * most / middle))
            seconds = Band(*(min(s, most) for s in (seconds.low, middle, seconds.high)))
    ends = length if length < total else None
    psnr, ssim, source = earlier.quality(spec, ends) or (None, None, None)
    made_from = {"speed": speed.source if speed else None, "quality": source}
    ends_at = None if ends is None else Band(ends, ends, ends)
    return RunForecast(0, total, seconds, psnr, ssim, ends_at, made_from)


def _bands(runs: Sequence[Ended], least: float, what: str) -> tuple[Band, Band | None, str]:
    source = f"{len(runs)} run{'' if len(runs) == 1 else 's'} {what}"
    psnr = _band([r.psnr for r in runs if r.psnr is not None], least)
    similar = [r.ssim for r in runs if r.ssim is not None]
    return psnr, _band(similar, least * _DB_OF_SSIM) if similar else None, source


def _band(values: Sequence[float], least: float) -> Band:
    """A next one beside these: their own scatter beside what it is known to be at the least, which counts
    as three."""
    middle, number = median(values), len(values)
    variance = (3 * least**2 + sum((v - middle) ** 2 for v in values)) / (3 + max(number - 1, 0))
    half = _Z80 * math.sqrt(variance * (1 + 1 / number))
    return Band(middle - half, middle, middle + half)
