"""The rest of a run, played many times: how good its best validation will be, and at which iteration it ends.

Each time one of the fits is taken, by its weight, and within its uncertainty a curve; validations scatter
around it as they have so far; and early stopping and stop rules are asked after each, as they will be. So the
best of all validations is a maximum of what scatters, and a run that ends sooner gains less. The draws are
the same each time: a forecast is a function of what it is made from.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from srqueue.forecast.fitting import Fit, Fitted, Point
from srqueue.forecast.gains import Gains
from srqueue.forecast.patience import Automata
from srqueue.forecast.schedule import areas, last_iteration, rate_share
from srqueue.spec.training import TrainSpec

PLAYS = 160
MOST_VALIDATIONS = 48
_SEED = 20147
_FAR = 4.0  # times the progress so far: beyond it the level drifts no further


@dataclass(frozen=True)
class Doubt:
    """What curves do beyond what their fits foresee, as standard deviations.

    `gain`: of the gain that is to come, as a share of it; `bend`: of the slope over the logarithm of the
    progress, as a share of what it was, since a young curve bends where nobody knows; `drift`: of the
    level, in units of the noise, where the progress doubles (it grows with the root of how far that is);
    `memory`: correlation of a validation's scatter with that of the one before.
    """

    gain: float = 0.25
    bend: float = 0.175
    drift: float = 0.43
    memory: float = 0.32


DOUBT = Doubt()


@dataclass(frozen=True)
class Rest:
    """Validations to come. Of a metric that early stopping does not watch, `ends` says where each play
    ends."""

    iterations: tuple[int, ...]
    points: tuple[Point, ...]  # their values mean nothing


@dataclass(frozen=True)
class Played:
    """One play: the best value, and where the run ended."""

    best: float
    iteration: int


def rest_of(
    train: TrainSpec, val_freq: int, iteration: int, area: float, factor: float, decay_from: int | None,
    last: int | None = None,
) -> Rest:  # fmt: skip
    """The validations behind `iteration`, at most so many. `area`: progress so far; `factor`: what
    automations and the guard left of the rate; `last`: where it ends, where that is not by its schedule."""
    last = last_iteration(train, decay_from) if last is None else last
    due = list(range((iteration // val_freq + 1) * val_freq, last + 1, val_freq)) if val_freq else []
    if not due or due[-1] != last:
        due.append(last)
    if len(due) > MOST_VALIDATIONS:
        step = len(due) / MOST_VALIDATIONS
        due = sorted({due[min(int((i + 1) * step), len(due)) - 1] for i in range(MOST_VALIDATIONS)} | {last})
    due = [i for i in due if i > iteration]
    return Rest(tuple(due), _points(train, iteration, area, due, factor, decay_from))


def _points(
    train: TrainSpec, iteration: int, area: float, due: Sequence[int], factor: float, decay_from: int | None
) -> tuple[Point, ...]:
    def share(i: int) -> float:
        return factor * rate_share(train, max(i - 1, 0), decay_from)

    shares = [share(i) for i in due]
    grown = areas([i - iteration for i in due], shares)
    # From here to the first of them the rate falls from what it is now.
    before = (share(iteration) - shares[0]) * (due[0] - iteration) / 2 if due else 0.0
    return tuple(Point(area + before + a, s, 0.0) for a, s in zip(grown, shares, strict=True))


def play(
    fitted: Fitted, rest: Rest, best: float, automata: Automata | None = None, *,
    decay_from: int | None = None, ends: Sequence[int] = (), gains: Gains | None = None,
    doubt: Doubt = DOUBT, plays: int = PLAYS,
) -> list[Played]:  # fmt: skip
    """Plays of the rest, in no order. `best`: the best value so far; `automata`, `gains`: as they stand now;
    `ends`: where the plays end, where that is known already. Values in the fit's unit."""
    dice = random.Random(_SEED)
    prepared = [(one, [one.features(p.progress, p.share) for p in rest.points]) for one in fitted.fits]
    found, place = list[Played](), 0.0
    chosen = 0
    for number in range(plays):
        while number + 0.5 > (place + prepared[chosen][0].weight) * plays and chosen < len(prepared) - 1:
            place += prepared[chosen][0].weight
            chosen += 1
        one, features = prepared[chosen]
        course = _Course(fitted, one, features, rest, doubt, dice)
        end = ends[number % len(ends)] if ends else None
        own, rules = automata.copy() if automata else None, gains.copy() if gains else None
        found.append(_play_one(course, rest, best, own, rules, decay_from, end))
    return found


class _Course:
    """One curve that may be, with its scatter."""

    def __init__(
        self, fitted: Fitted, one: Fit, features: Sequence[tuple[float, float, float]], rest: Rest,
        doubt: Doubt, dice: random.Random,
    ) -> None:  # fmt: skip
        z = [dice.gauss(0.0, 1.0) for _ in range(3)]
        self._beta: list[float] = [
            mean + sum(r * x for r, x in zip(row, z, strict=True))
            for mean, row in zip(one.beta, one.root, strict=True)
        ]
        self._one, self._features, self._noise = one, features, fitted.noise
        self._newest = fitted.newest
        self._now = self._at(one.features(fitted.newest.progress, fitted.newest.share))
        self._stretch = 1.0 + doubt.gain * dice.gauss(0.0, 1.0)
        self._drift = doubt.drift * fitted.noise * dice.gauss(0.0, 1.0)
        self._bend = doubt.bend * fitted.slope * dice.gauss(0.0, 1.0)
        self._memory, self._fresh = doubt.memory, (1.0 - doubt.memory**2) ** 0.5
        self._scatter, self._dice = dice.gauss(0.0, 1.0), dice
        self._points = rest.points

    def _at(self, features: Sequence[float]) -> float:
        b, f = self._beta, features
        return b[0] * f[0] + b[1] * f[1] + b[2] * f[2]

    def validation(self, place: int) -> float:
        """What the validation at that place of the rest shows."""
        return self._shown(self._features[place], self._points[place])

    def at_point(self, point: Point) -> float:
        """What one would show that is not of the rest."""
        return self._shown(self._one.features(point.progress, point.share), point)

    def _shown(self, features: Sequence[float], point: Point) -> float:
        self._scatter = self._memory * self._scatter + self._fresh * self._dice.gauss(0.0, 1.0)
        ahead = max(point.progress / self._newest.progress - 1.0, 0.0)
        level = self._now + self._stretch * (self._at(features) - self._now)
        quiet = 0.3 + 0.7 * min(1.0, point.share / self._newest.share) if self._newest.share > 0 else 0.3
        far = math.sqrt(min(ahead, _FAR))
        level += self._bend * math.log1p(ahead)
        return level + self._drift * far + self._noise * quiet * self._scatter


def _play_one(
    course: _Course,
    rest: Rest,
    best: float,
    automata: Automata | None,
    gains: Gains | None,
    decay_from: int | None,
    end: int | None,
) -> Played:
    iteration = rest.iterations[-1] if rest.iterations else 0
    for place, iteration in enumerate(rest.iterations):
        if end is not None and iteration > end:
            return Played(best, end)
        value = course.validation(place)
        best = max(best, value)
        if gains is not None and gains.reached(value):
            return Played(best, iteration)
        if automata is None or decay_from is not None:
            continue
        stops = automata.observe(iteration, value)
        if gains is not None and gains.too_little(iteration, value):
            stops = True
        if not stops:
            continue
        if automata.train.scheduler.type != "wsd":
            return Played(best, iteration)
        last = last_iteration(automata.train, iteration)
        if last >= rest.iterations[-1]:  # its decay has begun by itself, or it ends before
            automata = None
            continue
        share, before = rate_share(automata.train, last - 1, iteration), rest.points[place]
        lower = Point(before.progress + (last - iteration) * (before.share + share) / 2, share, 0.0)
        return Played(max(best, course.at_point(lower)), last)
    return Played(best, iteration)
