"""Stop rules while a training runs: when they come about, and in which words.

Pure: they go by what they are told, and by a state that lies in every checkpoint, so that a resumed run ends
where an unbroken one does, as far as no clock decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from srqueue.run.reasons import StopReason
from srqueue.spec.automations import HIGHER_IS_BETTER
from srqueue.spec.stop_rules import (
    CostRule,
    EnergyRule,
    GainRule,
    IterationRule,
    MomentRule,
    ReachRule,
    Rule,
    TimeRule,
    is_spent,
    moment_text,
    plain,
    unit_of,
)
from workers.trainer.action import Action

MARGIN = 1.05
"""Of the time that a decay is expected to take, so that it ends before its budget does."""

Targets = Mapping[str, Mapping[str, float]]
"""Job id -> metric -> its best value, as the worker found it when the attempt began."""


@dataclass(frozen=True)
class Standing:
    """Where a run stands: steps done, training seconds and kWh of all its attempts, the time of day."""

    iteration: int
    seconds: float
    kwh: float
    now: datetime
    decays: bool = False
    """Whether the rate of a WSD schedule is being lowered to its end, whatever began that."""


class StopRules:
    """The rules of one training. `decay`: iterations that the decay of a WSD schedule takes, 0 for others.

    `reason` and `text` are set once it is to end; `decaying` says that its rate is lowered to the end first.
    """

    def __init__(self, rules: Iterable[Rule], targets: Targets | None = None, decay: int = 0) -> None:
        self.rules = tuple(rules)
        self.reason: StopReason | None = None
        self.text = ""
        self.decaying = False
        self._targets = targets or {}
        self._decay = decay
        self._base: list[float] | None = None  # seconds and kWh of before this training
        self._curves: dict[str, list[list[float]]] = {}  # of each gain: [place, best so far] where that rose

    @property
    def ends_now(self) -> bool:
        """Whether nothing more is to be trained."""
        return self.reason is not None and not self.decaying

    @property
    def last(self) -> int | None:
        """Iterations after which it ends, where a rule says so."""
        return min((r.iterations for r in self.rules if isinstance(r, IterationRule)), default=None)

    @property
    def decay_from(self) -> int | None:
        """Where the decay of a WSD schedule must begin to be over by then."""
        return None if self.last is None or not self._decay else max(0, self.last - self._decay)

    def begin(self, seconds: float, kwh: float) -> None:
        """What was spent by another run that this one goes on from is not this one's."""
        if self._base is None:
            self._base = [seconds, kwh]

    def look_first(self, now: datetime) -> Action | None:
        """Before the first iteration of all: of a run whose moment is past there is nothing to keep."""
        for rule in self.rules:
            if is_spent(rule, now):
                text = f"{self._spent_text(rule)} before its first iteration"
                return self._end(StopReason.CANCELLED, text)
        return None

    def look(self, at: Standing) -> Action | None:
        """What the clocks and meters say; the state has already changed."""
        if self.ends_now:
            return None
        spent = [(rule, share) for rule in self.rules if (share := self._share(rule, at)) is not None]
        for rule, share in spent:
            if share >= 1:
                return self._end(StopReason.BUDGET_SPENT, self._spent_text(rule))
        if not self._decay or at.decays or self.decaying or not at.iteration:
            return None
        for rule, _ in spent:
            if self._left(rule, at) <= MARGIN * self._decay * self._rate(rule, at):
                return self._begin_decay(StopReason.BUDGET_SPENT, self._spent_text(rule))
        return None

    def observe(self, at: Standing, metrics: Mapping[str, float]) -> Action | None:
        """The validation at `at`; what is to be done now, and the state has already changed."""
        gains = [self._note(rule, at, metrics) for rule in self.rules if isinstance(rule, GainRule)]
        if (action := self.look(at)) or self.ends_now:
            return action
        for rule in self.rules:
            if isinstance(rule, ReachRule) and (text := self._reached(rule, metrics)):
                return self._end(StopReason.STOPPED_EARLY, text)
        for text in gains:
            if text and not (self.decaying or (self._decay and at.decays)):
                begin = self._begin_decay if self._decay else self._end
                return begin(StopReason.STOPPED_EARLY, text)
        return None

    def at_last(self) -> None:
        """The iteration that a rule names has come."""
        if self.last is not None and self.reason is None:
            self._end(StopReason.BUDGET_SPENT, f"its {self.last} iterations are done")

    def unknown(self) -> list[str]:
        """Rules that wait for a job of which nothing is known."""
        return [str(r) for r in self.rules if isinstance(r, ReachRule) and r.job and self._target(r) is None]

    def state_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "reason": self.reason, "text": self.text, "decaying": self.decaying, "base": self._base,
            "curves": self._curves,
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.reason = StopReason(state["reason"]) if state["reason"] else None
        self.text, self.decaying, self._base = state["text"], state["decaying"], state["base"]
        self._curves = {key: [list(point) for point in curve] for key, curve in state["curves"].items()}

    def _end(self, reason: StopReason, text: str) -> Action:
        self.reason, self.text, self.decaying = reason, text, False
        return Action(by="StopRule", did="stopped the run", reason=text)

    def _begin_decay(self, reason: StopReason, text: str) -> Action:
        self.reason, self.text, self.decaying = reason, text, True
        return Action(by="StopRule", did="started the decay of the learning rate", reason=text)

    # budgets

    def _used(self, at: Standing) -> tuple[float, float]:
        seconds, kwh = self._base or [0.0, 0.0]
        return at.seconds - seconds, at.kwh - kwh

    def _share(self, rule: Rule, at: Standing) -> float | None:
        """Share of a budget that is spent; None for rules that are none."""
        if isinstance(rule, MomentRule):
            return 1.0 if at.now >= rule.at else 0.0
        amount = _amount(rule)
        return None if amount is None else self._used(at)[not isinstance(rule, TimeRule)] / amount

    def _left(self, rule: Rule, at: Standing) -> float:
        if isinstance(rule, MomentRule):
            return (rule.at - at.now).total_seconds()
        return (_amount(rule) or 0.0) - self._used(at)[not isinstance(rule, TimeRule)]

    def _rate(self, rule: Rule, at: Standing) -> float:
        """What an iteration took so far, of seconds or kWh: the mean of all attempts."""
        return (at.kwh if isinstance(rule, EnergyRule | CostRule) else at.seconds) / at.iteration

    def _spent_text(self, rule: Rule) -> str:
        return f"{moment_text(rule.at)} has come" if isinstance(rule, MomentRule) else f"its {rule} are spent"

    # what is validated

    def _note(self, rule: GainRule, at: Standing, metrics: Mapping[str, float]) -> str | None:
        """Takes a value in; what to say where its gain is less than the rule wants."""
        place = at.iteration if rule.seconds is None else at.seconds
        length = float(rule.iterations or 0) if rule.seconds is None else rule.seconds
        sign = 1 if HIGHER_IS_BETTER[rule.metric] else -1
        curve = self._curves.setdefault(str(rule), [])
        value = sign * metrics[rule.metric]
        if not curve or value > curve[-1][1]:
            curve.append([place, value])
        begun = place - length
        while len(curve) > 1 and curve[1][0] <= begun:  # what lies before the newest window counts once
            del curve[0]
        if curve[0][0] > begun:
            return None  # the window is not full yet
        gained = curve[-1][1] - curve[0][1]
        if gained >= rule.gain:
            return None
        unit = unit_of(rule.metric)
        return f"less than {plain(rule.gain)} {unit} in the last {_window(rule)} ({gained:.2g} {unit})"

    def _target(self, rule: ReachRule) -> float | None:
        if rule.job is None:
            return rule.value
        known = self._targets.get(rule.job, {}).get(rule.metric)
        return None if known is None else known + rule.value

    def _reached(self, rule: ReachRule, metrics: Mapping[str, float]) -> str | None:
        target, value = self._target(rule), metrics[rule.metric]
        if target is None or (value <= target if HIGHER_IS_BETTER[rule.metric] else value >= target):
            return None
        of = "" if rule.job is None else f", from job {rule.job[-6:].lower()}"
        side = "above" if HIGHER_IS_BETTER[rule.metric] else "below"
        return f"{rule.metric} is {value:.4f}, {side} {target:.4f}{of}"


def _amount(rule: Rule) -> float | None:
    """A budget in seconds or kWh; None where it has none, or its price is not known."""
    if isinstance(rule, TimeRule):
        return rule.seconds
    if isinstance(rule, EnergyRule):
        return rule.kwh
    if isinstance(rule, CostRule) and rule.price is not None:
        return rule.amount / rule.price
    return None


def _window(rule: GainRule) -> str:
    return (
        f"{rule.iterations} iterations"
        if rule.seconds is None
        else re.sub(r"(?<=\d)(?=[a-z])", " ", rule.window)
    )
