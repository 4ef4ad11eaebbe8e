"""How far a training goes: its rung and its stop rules, as far as they are known ahead.

Those of a gain or of what is reached are asked where a curve is played on (`gains`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from srqueue.forecast.gains import Gains, Targets
from srqueue.forecast.open_time import OpenTime
from srqueue.forecast.schedule import decay_steps, last_iteration
from srqueue.spec.stop_rules import CostRule, EnergyRule, IterationRule, MomentRule, Rule, TimeRule
from srqueue.spec.training import TrainSpec
from srqueue.spec.windows import Window


@dataclass(frozen=True)
class Limits:
    """None where there is none. `rung`, `iterations`: that it trains at the most, by a search and by rules;
    `seconds`: of training in all; `moment`: when it ends, UTC s; `windows`: of the job and of its worker:
    of each set one must be open while it trains; `kwh`: that it may draw in all; `gains`: what validations
    may end."""

    rung: int | None = None
    iterations: int | None = None
    seconds: float | None = None
    moment: float | None = None
    windows: tuple[tuple[Window, ...], ...] = ()
    kwh: float | None = None
    gains: Gains = field(default_factory=Gains)

    @classmethod
    def of(
        cls, rules: Iterable[Rule], rung: int | None = None, windows: Iterable[Sequence[Window]] = (),
        targets: Targets | None = None,
    ) -> Self:  # fmt: skip
        """Of a job's rules, and of the rung that it may train to. `targets`: what other jobs reached."""
        known = tuple(rules)
        return cls(
            rung,
            min((r.iterations for r in known if isinstance(r, IterationRule)), default=None),
            min((r.seconds for r in known if isinstance(r, TimeRule)), default=None),
            min((r.at.timestamp() for r in known if isinstance(r, MomentRule)), default=None),
            tuple(tuple(some) for some in windows if some),
            min((kwh for r in known if (kwh := _kwh(r)) is not None), default=None),
            Gains.of(known, targets),
        )

    def length(self, total: int) -> int:
        """Iterations at the most, as far as no clock ends it."""
        return min(n for n in (total, self.rung, self.iterations) if n is not None)

    def left(
        self, spent: float, now: float | None, kwh: float = 0.0, kw: float | None = None
    ) -> float | None:
        """Seconds of training until a clock or a meter ends it; None where none does.

        `spent`: of training so far; `now`: UTC s; `kwh`: drawn so far; `kw`: what it draws.
        """
        left = [] if self.seconds is None else [self.seconds - spent]
        if self.moment is not None and now is not None:
            left.append(OpenTime(self.windows, now).spent(max(self.moment - now, 0.0)))
        if self.kwh is not None and kw:
            left.append((self.kwh - kwh) / kw * 3600)
        return max(min(left), 0.0) if left else None

    def decay_from(self, train: TrainSpec, by_clock: int | None = None) -> int | None:
        """Where a rule begins the decay of a WSD schedule, so that it is over by then. `by_clock`: the
        iteration at which a clock will end it."""
        ends = [n for n in (self.iterations, by_clock) if n is not None and n < train.total_iter]
        if not ends or train.scheduler.type != "wsd":
            return None
        return max(min(ends) - decay_steps(train.scheduler, train.total_iter), 0)

    def last(self, train: TrainSpec, decay_from: int | None, by_clock: int | None = None) -> int:
        """Steps after which it ends."""
        last = self.length(last_iteration(train, decay_from))
        return last if by_clock is None else min(last, by_clock)


def _kwh(rule: Rule) -> float | None:
    """Of energy, or of money at its price."""
    if isinstance(rule, EnergyRule):
        return rule.kwh
    return rule.amount / rule.price if isinstance(rule, CostRule) and rule.price else None


NO_LIMITS = Limits()
