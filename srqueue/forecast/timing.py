"""How long the rest takes, from what the run has told of its speed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from srqueue.forecast.bands import quantile

_REPORTS = 40
_VALIDATIONS = 12
_OVERHEAD = (1.0, 2.0)


@dataclass(frozen=True)
class Report:
    """What a trainer told of its steps: `t` UTC s, `token` of the attempt, `it_s` without validations and
    saves."""

    iteration: int
    t: float
    token: int
    it_s: float


@dataclass(frozen=True)
class Speed:
    """Iterations a second, with all that comes beside them but validations, and seconds a validation.

    `source`: where they are from, for people; `measured`: this very work was timed on such a device, else
    it is only estimated; `doubt`: standard deviation of the logarithm of the time that a run takes at it.
    """

    it_s: float
    validation_s: float
    source: str
    measured: bool
    doubt: float = 0.15

    def seconds(self, iterations: float, validations: float) -> float:
        """Of so much work, in the middle."""
        return iterations / self.it_s + validations * self.validation_s


@dataclass(frozen=True)
class Unsure:
    """What a speed is uncertain by beyond its scatter: `least`, always; `persistent`: share of the
    scatter that does not average out, since a machine is slow for longer than a report."""

    least: float = 0.076
    persistent: float = 0.5


UNSURE = Unsure()


def measured(
    reports: Sequence[Report], validation_s: Sequence[float], unsure: Unsure = UNSURE
) -> Speed | None:
    """The speed of the newest reports, oldest first; None without one. Medians, so that one hiccup counts
    for nothing.

    Time between attempts is in none of it: each report tells of its own steps. What saves and the like
    take is found in the time between two reports of one attempt.
    """
    recent = [r for r in reports[-_REPORTS:] if r.it_s > 0]
    if not recent:
        return None
    times = sorted(1.0 / r.it_s for r in recent)
    middle = quantile(times, 0.5)
    scatter = (quantile(times, 0.84) - quantile(times, 0.16)) / 2 / middle
    newest = sorted(1.0 / r.it_s for r in recent[-max(len(recent) // 3, 1) :])
    drift = math.log(quantile(newest, 0.5) / middle)
    seen = sorted(validation_s[-_VALIDATIONS:])
    spent = quantile(seen, 0.5) if seen else 0.0
    step = middle * math.exp(drift / 2)
    alone = 1.0 / len(recent) + unsure.persistent**2
    doubt = math.sqrt(unsure.least**2 + scatter**2 * alone + (drift / 2) ** 2)
    each = step * _overhead(recent, middle, spent, len(validation_s))
    return Speed(1.0 / each, spent, "its own reports", measured=True, doubt=doubt)


def _overhead(reports: Sequence[Report], step_s: float, validation_s: float, validations: int) -> float:
    """Time between reports over what steps and validations take of it."""
    steps, wall = 0, 0.0
    for one, other in pairwise(reports):
        if other.token == one.token and other.iteration > one.iteration:
            steps += other.iteration - one.iteration
            wall += other.t - one.t
    if not steps or not validations or reports[-1].iteration <= 0:
        return 1.0
    each = reports[-1].iteration / validations
    return min(max(wall / (steps * step_s + steps / each * validation_s), _OVERHEAD[0]), _OVERHEAD[1])
