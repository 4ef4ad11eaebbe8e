"""How long a preset takes on this machine, and which one to take."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from pydantic import ValidationError

from srqueue.forecast.kinds import validated_of, validations_of, work_of
from srqueue.forecast.timing import Speed as Speed  # what the commands know it by
from srqueue.spec.derive import PictureStats
from srqueue.spec.job import JobSpec
from srqueue.spec.rates import MEASURED_PRESET, measured_networks
from srqueue.store.record import JobRecord
from srqueue.store.run_folders import run_of

THIS_SPEC = "this spec"
"""Stands for a preset's name in the forecast of a spec that the user wrote down."""

_FEWEST_REPORTS = 3


@dataclass(frozen=True)
class Forecast:
    """What a preset asks of this machine. Without a speed nothing is known of its hours."""

    preset: str
    description: str
    spec: JobSpec
    speed: Speed | None = None

    @property
    def iterations(self) -> int:
        """Optimizer steps, if nothing stops it early."""
        return self.spec.train.total_iter

    @property
    def validations(self) -> int:
        """How often it validates."""
        return validations_of(self.spec)

    @property
    def hours(self) -> float | None:
        """Training and validations; at the most, since it may stop early."""
        if self.speed is None:
            return None
        return self.speed.seconds(self.iterations, self.validations) / 3600


@dataclass(frozen=True)
class Advice:
    """`preset`: None where none can be named; `why`: one sentence each."""

    preset: str | None
    why: tuple[str, ...]


def from_history(spec: JobSpec, records: Iterable[JobRecord], device: str) -> Speed | None:
    """The speed of the newest job on this machine that did the same work. `device`: cpu or cuda.

    One that validated on the same pictures is preferred; of another, what its validations took is left out.
    """
    mine, lent = validated_of(spec), None
    for record in records:
        if record.host != socket.gethostname():
            continue
        try:
            other = JobSpec.model_validate(record.spec)
        except ValidationError:  # of another version
            continue
        if work_of(other) == work_of(spec) and (found := _reported(record, device)):
            if not mine or validated_of(other) == mine:
                return found
            told = f"{found.source}, without validations"
            lent = lent or replace(found, validation_s=0.0, source=told)
    return lent


def estimated(spec: JobSpec, measured: Sequence[tuple[JobSpec, Speed]]) -> Speed | None:
    """A speed from the same network on other crops, by the number of pixels of a step; None without one."""
    for other, speed in measured:
        if (other.network_g, other.scale) == (spec.network_g, spec.scale):
            share = _pixels(other) / _pixels(spec)
            return replace(
                speed, it_s=speed.it_s * share, measured=False, source=f"estimated from {speed.source}"
            )
    return None


def advise(forecasts: Sequence[Forecast], hours: float | None, stats: PictureStats) -> Advice:
    """Which preset: the best that fits into the hours and that the pictures can feed.

    `tuned` is the best where its recipe was measured for the network; of the others, the one with the most
    iterations. `quick` is only for a first look, and taken where there is no other. A spec of the user's own
    competes as it stands: it cannot be shortened in proportion, nor does anything upgrade to it.
    """
    serious = [f for f in forecasts if f.preset != "quick"] or list(forecasts)
    serious.sort(key=lambda f: (f.hours or 0.0, f.iterations, f.preset == MEASURED_PRESET))
    few = stats.too_few(serious[0].spec.datasets.train.effective_batch)
    if few:
        limit = next((f for f in serious if f.preset == "convenience"), serious[0]).iterations
        serious = [f for f in serious if f.iterations <= limit] or serious[:1]
    why = [f"{few}: a longer run would only learn them by heart"] if few else []
    if hours is None:
        return _both(serious, why)
    if any(f.hours is None for f in serious):
        return Advice(None, (*why, "nothing is known of this machine's speed: the hours cannot be compared"))
    ranked = sorted(serious, key=_rank)
    fitting = [f for f in ranked if (f.hours or 0.0) <= hours]
    if fitting:
        best = fitting[-1]
        why.append(_merit(best, fitting, hours))
        return Advice(best.preset, tuple(why))
    shortest = next((f for f in ranked if _is_measured(f)), _presets(serious)[0])
    share = hours / (shortest.hours or hours)
    fit = max(int(shortest.iterations * share) // 100 * 100, 100)
    why.append(
        f"none fits into {hours:g} h; {shortest.preset} with --iterations {fit} does, all its lengths in "
        "proportion"
    )
    return Advice(shortest.preset, tuple(why))


def _presets(forecasts: Sequence[Forecast]) -> Sequence[Forecast]:
    """Those of presets, where there are some."""
    return [f for f in forecasts if f.preset != THIS_SPEC] or forecasts


def _is_measured(forecast: Forecast) -> bool:
    """Whether it is the recipe that was measured for its network."""
    return forecast.preset == MEASURED_PRESET and forecast.spec.network_g.type in measured_networks()


def _rank(forecast: Forecast) -> tuple[bool, int, bool]:
    """What is better comes later: the measured recipe, then iterations; `tuned` unmeasured loses a tie."""
    return (_is_measured(forecast), forecast.iterations, forecast.preset != MEASURED_PRESET)


def _merit(best: Forecast, fitting: Sequence[Forecast], hours: float) -> str:
    """Why it is the best of those that fit."""
    takes = f"it takes {best.hours:.1f} h at the most"
    network = best.spec.network_g.type
    if _is_measured(best):
        return f"the recipe that our own measurements prefer for {network} fits into {hours:g} h: {takes}"
    told = f"the most iterations that fit into {hours:g} h, {best.iterations}: {takes}"
    if any(f.preset == MEASURED_PRESET for f in fitting):
        told += f"; the recipe of {MEASURED_PRESET} was not measured for {network}"
    return told


def _both(serious: Sequence[Forecast], why: list[str]) -> Advice:
    """Without a limit: begin with the shortest, go on with the longest that pays."""
    first = serious[0]
    why.append(f"begin with {first.preset}: it shows what the pictures are good for")
    last = _presets(serious)[-1]
    if last is not first:
        longer = ""
        if first.hours and last.hours:
            longer = f", {last.hours / first.hours:.1f} times as long"
        why.append(
            f"where it still gains at its end, go on with `srqueue upgrade JOB --fidelity` (up to "
            f"{last.preset}{longer}); --hours H finds the longest that fits"
        )
    return Advice(first.preset, tuple(why))


def _pixels(spec: JobSpec) -> int:
    return spec.datasets.train.effective_batch * spec.datasets.train.lq_size**2


def _reported(record: JobRecord, device: str) -> Speed | None:
    """What the job itself reported, where it ran on such a device and its folder is here."""
    run = run_of(record)
    if run is None:
        return None
    try:
        resolved = json.loads(run.resolved_file.read_text())["compute"]["device"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if resolved != device:
        return None
    rates: list[float] = []
    validations: list[float] = []
    for event in run.events():
        if event.kind == "train" and isinstance(event.data.get("it_s"), int | float):
            rates.append(event.data["it_s"])
        elif event.kind == "val" and isinstance(event.data.get("seconds"), int | float):
            validations.append(event.data["seconds"])
    rates = [rate for rate in rates if rate > 0]
    if len(rates) < _FEWEST_REPORTS:
        return None
    spent = median(validations) if validations else 0.0
    return Speed(median(rates), spent, f"job {record.short_id}", measured=True)
