"""Stop rules that look at validations, told ahead of time: what gains too little, and what is reached.

It counts as workers.trainer.stop_rules does (a test holds them together); seconds of training are taken to
pass evenly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from srqueue.spec.stop_rules import GainRule, ReachRule, Rule

_ALIKE = ("val/psnr", "val/psnr_rgb")  # a gain of the one is about a gain of the other
_OF = "val/psnr"

Targets = Mapping[str, Mapping[str, float]]
"""Job id -> metric -> its best value, as a worker found it."""


@dataclass
class Gains:
    """The rules of one run. `target`: dB that ends it, the least of all; `pace`: seconds of training an
    iteration. Rules of SSIM and of the loss are not foreseen, nor those of an unknown job."""

    rules: tuple[GainRule, ...] = ()
    target: float | None = None
    pace: float | None = None
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    @classmethod
    def of(cls, rules: Iterable[Rule], targets: Targets | None = None) -> Self:
        """Before the first validation."""
        known = tuple(rules)
        reaches = [_target(r, targets or {}) for r in known if isinstance(r, ReachRule) and r.metric == _OF]
        return cls(
            tuple(r for r in known if isinstance(r, GainRule) and r.metric in _ALIKE),
            min((t for t in reaches if t is not None), default=None),
        )

    def __bool__(self) -> bool:
        return bool(self.rules) or self.target is not None

    def copy(self) -> Gains:
        """One that can be played on from here."""
        return replace(self, curves={key: list(curve) for key, curve in self.curves.items()})

    def seen(self, validations: Iterable[tuple[int, float]], pace: float | None) -> Gains:
        """After the (iteration, dB) that have been, at that pace."""
        found = replace(self.copy(), pace=pace)
        for iteration, psnr in validations:
            found.too_little(iteration, psnr)
        return found

    def reached(self, psnr: float) -> bool:
        """Whether a validation ends the run by being as good as that."""
        return self.target is not None and psnr > self.target

    def too_little(self, iteration: int, psnr: float) -> bool:
        """Takes a validation in; whether less was gained within a window than its rule wants."""
        found = [self._note(rule, iteration, psnr) for rule in self.rules]  # each is to see it
        return any(found)

    def _note(self, rule: GainRule, iteration: int, psnr: float) -> bool:
        if rule.seconds is not None and self.pace is None:
            return False
        place = float(iteration) if rule.seconds is None else iteration * (self.pace or 0.0)
        begun = place - (float(rule.iterations or 0) if rule.seconds is None else rule.seconds)
        curve = self.curves.setdefault(str(rule), [])
        if not curve or psnr > curve[-1][1]:
            curve.append((place, psnr))
        while len(curve) > 1 and curve[1][0] <= begun:  # what lies before the newest window counts once
            del curve[0]
        return curve[0][0] <= begun and curve[-1][1] - curve[0][1] < rule.gain


def _target(rule: ReachRule, targets: Targets) -> float | None:
    if rule.job is None:
        return rule.value
    known = targets.get(rule.job, {}).get(_OF)
    return None if known is None else known + rule.value
