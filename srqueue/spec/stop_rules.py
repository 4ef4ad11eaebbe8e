"""Stop rules: what ends a training before its last iteration; each prints as the text it is read from."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from srqueue.spec.automations import HIGHER_IS_BETTER, MonitoredMetric
from srqueue.spec.base import Frozen

HOUR, MINUTE = 3600.0, 60.0


class TimeRule(Frozen):
    """So much training time, all attempts together, without what it waited."""

    type: Literal["time"] = "time"
    seconds: float = Field(gt=0)

    def __str__(self) -> str:
        return span_text(self.seconds)


class EnergyRule(Frozen):
    """So much energy, all attempts together."""

    type: Literal["energy"] = "energy"
    kwh: float = Field(gt=0)

    def __str__(self) -> str:
        return f"{plain(self.kwh)} kWh"


class CostRule(Frozen):
    """So much money for energy. `price`: of a kWh, in the same currency; None until a submit fills it in."""

    type: Literal["cost"] = "cost"
    amount: float = Field(gt=0)
    currency: str = Field(pattern=r"\A[A-Z]{3}\z")
    price: float | None = Field(None, gt=0)

    def __str__(self) -> str:
        at = "" if self.price is None else f" at {plain(self.price)} {self.currency}/kWh"
        return f"{plain(self.amount)} {self.currency}{at}"


class MomentRule(Frozen):
    """A moment by the clock on the wall."""

    type: Literal["moment"] = "moment"
    at: AwareDatetime

    def __str__(self) -> str:
        return moment_text(self.at)


class IterationRule(Frozen):
    """So many iterations; what depends on the length of the run (its schedule) goes by total_iter still."""

    type: Literal["iteration"] = "iteration"
    iterations: int = Field(ge=1)

    def __str__(self) -> str:
        return f"{self.iterations} it"


class GainRule(Frozen):
    """The best value so far has risen by less than `gain` within the newest window, once that is full.

    The window is of training seconds, or of iterations.
    """

    type: Literal["gain"] = "gain"
    metric: MonitoredMetric
    gain: float = Field(gt=0)
    seconds: float | None = Field(None, gt=0)
    iterations: int | None = Field(None, ge=1)

    def __str__(self) -> str:
        return f"< {plain(self.gain)} {unit_of(self.metric)} in {self.window}"

    @property
    def window(self) -> str:
        """`2h`, `5000 it`."""
        return f"{self.iterations} it" if self.seconds is None else span_text(self.seconds)


class ReachRule(Frozen):
    """A validation was better than `value`; with `job`, better than that job's best by `value`."""

    type: Literal["reach"] = "reach"
    metric: MonitoredMetric
    value: float = 0.0
    job: str | None = None

    def __str__(self) -> str:
        sign = ">" if HIGHER_IS_BETTER[self.metric] else "<"
        if self.job is None:
            return f"{self.metric} {sign} {plain(self.value)}"
        more = f" {'-' if self.value < 0 else '+'} {plain(abs(self.value))}" if self.value else ""
        return f"{self.metric} {sign} job:{self.job}{more}"


Rule = TimeRule | EnergyRule | CostRule | MomentRule | IterationRule | GainRule | ReachRule
Budget = (TimeRule, EnergyRule, CostRule, MomentRule)
"""What can be spent by many trainings together."""
RULES: tuple[type[Rule], ...] = (*Budget, IterationRule, GainRule, ReachRule)


def is_spent(rule: Rule, now: datetime) -> bool:
    """Whether a rule has come about before anything was trained."""
    return isinstance(rule, MomentRule) and rule.at <= now


def plain(value: float) -> str:
    """A number in the fewest digits that mean the same."""
    return repr(float(value)).removesuffix(".0")


def span_text(seconds: float) -> str:
    """`18h`, `90min`, `45s`: in the largest of these units of which it is a whole number."""
    for unit, size in (("h", HOUR), ("min", MINUTE)):
        if seconds % size == 0:
            return f"{plain(seconds / size)}{unit}"
    return f"{plain(seconds)}s"


def moment_text(at: datetime) -> str:
    """`2026-12-06 22:00+01:00`, with seconds where it has some."""
    return at.isoformat(sep=" ", timespec="auto" if at.second or at.microsecond else "minutes")


def unit_of(metric: str) -> str:
    """How a gain of a metric is written: in dB where PSNR-Y is meant."""
    return "dB" if metric == "val/psnr" else metric
