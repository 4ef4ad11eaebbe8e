"""Stop rules at a submit: prices filled in, jobs found, and what is spent before it begins refused."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from srqueue.errors import SpecError, UsageError
from srqueue.settings import Settings
from srqueue.spec.job import JobSpec
from srqueue.spec.stop_rules import CostRule, GainRule, IterationRule, ReachRule, Rule, is_spent
from srqueue.store.store import Store


class Settling:
    """Settles the rules of specs. `store`: where the jobs are that rules name; None without a queue."""

    def __init__(self, settings: Settings, store: Store | None) -> None:
        self._settings = settings
        self.store = store
        self._found: dict[str, str] = {}

    def of(self, spec: JobSpec) -> tuple[Rule, ...]:
        """The rules of a spec as a trainer can go by them. Raises SpecError that lists all that is wrong."""
        wrong: list[str] = [text for rule in spec.stop if (text := _never(rule, spec))]
        rules = self._settled(spec.stop, wrong)
        if wrong:
            raise SpecError("\n  ".join(wrong), where=f"stop rules of {spec.name}")
        return rules

    def budget(self, rules: Iterable[Rule], where: str) -> tuple[Rule, ...]:
        """The same of a budget, or of rules that many specs will share."""
        wrong: list[str] = []
        settled = self._settled(rules, wrong)
        if wrong:
            raise SpecError("\n  ".join(wrong), where=where)
        return settled

    def _settled(self, rules: Iterable[Rule], wrong: list[str]) -> tuple[Rule, ...]:
        now, found = datetime.now(UTC), list[Rule]()
        for rule in rules:
            if is_spent(rule, now):
                wrong.append(f"{rule} is past already")
                continue
            try:
                found.append(self._one(rule))
            except UsageError as error:
                wrong.append("; ".join(filter(None, [f"{rule}: {error.message}", error.hint])))
        return tuple(dict.fromkeys(found))

    def _one(self, rule: Rule) -> Rule:
        if isinstance(rule, CostRule) and rule.price is None:
            return rule.model_copy(update={"price": self._price(rule)})
        if isinstance(rule, ReachRule) and rule.job is not None:
            return rule.model_copy(update={"job": self._id(rule.job)})
        return rule

    def _price(self, rule: CostRule) -> float:
        price, currency = self._settings.kwh_price, self._settings.currency
        if price is None:
            raise UsageError(
                "what a kWh costs is not known",
                hint=f"set SRQUEUE_KWH_PRICE, or write {rule} at 0.30/kWh",
            )
        if currency != rule.currency:
            raise UsageError(
                f"SRQUEUE_KWH_PRICE is in {currency}", hint=f"write {rule} at 0.30/kWh, or give the amount so"
            )
        return price

    def _id(self, ref: str) -> str:
        if self.store is None:
            raise UsageError("without a queue no other job is known", hint="give the value: val/psnr > 31.5")
        if ref not in self._found:
            self._found[ref] = self.store.resolve(ref)
        return self._found[ref]


def _never(rule: Rule, spec: JobSpec) -> str | None:
    """Why a rule could never act; None where it can."""
    total = spec.train.total_iter
    validates = spec.datasets.val is not None and spec.val.val_enabled
    if isinstance(rule, GainRule | ReachRule) and not validates:
        return f"{rule}: there is no validation whose values it could go by"
    if isinstance(rule, GainRule) and (rule.iterations or 0) > total:
        return f"{rule}: the window is longer than train.total_iter ({total})"
    if isinstance(rule, IterationRule) and rule.iterations > total:
        return f"{rule}: that is more than train.total_iter ({total}), which ends it before"
    return None
