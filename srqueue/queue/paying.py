"""What is left of the budgets of campaigns, and who draws on them, for playing the queue."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from statistics import median

from srqueue.errors import SpecError
from srqueue.forecast.purses import Budget
from srqueue.queue.budgets import SPENT, attempt_kwh, budget_of, spending
from srqueue.run.reasons import JobState
from srqueue.spec.stop_rules import CostRule, EnergyRule, MomentRule, Rule, TimeRule
from srqueue.store.campaigns import CampaignRecord, Campaigns
from srqueue.store.record import JobRecord
from srqueue.store.store import Store

_LEAST_KWH = 1e-6
_NONE = Budget(0.0)


def budgets_left(
    store: Store, campaigns: Campaigns, records: Iterable[CampaignRecord], now: float
) -> dict[str, Budget]:
    """By campaign, of those that have one; one that was ended for its budget has nothing left.

    `now`: UTC s.
    """
    found: dict[str, Budget] = {}
    for record in records:
        rules = rules_of(record)
        if record.more.get(SPENT) and record.state == "stopped":
            found[record.name] = _NONE
        elif rules:
            spent = spending(store, campaigns, record)
            found[record.name] = left_of(rules, spent.seconds, spent.kwh, now)
    return found


def rules_of(record: CampaignRecord) -> tuple[Rule, ...]:
    """Its budget; one of another version is none."""
    try:
        return budget_of(record)
    except SpecError:
        return ()


def left_of(rules: Iterable[Rule], seconds: float, kwh: float, now: float) -> Budget:
    """What rules leave where so much is spent; money counts by its price of a kWh."""
    left = Budget()
    for rule in rules:
        if isinstance(rule, TimeRule):
            left = _less(left, Budget(seconds=rule.seconds - seconds))
        elif isinstance(rule, EnergyRule):
            left = _less(left, Budget(kwh=rule.kwh - kwh))
        elif isinstance(rule, CostRule) and rule.price:
            left = _less(left, Budget(kwh=rule.amount / rule.price - kwh))
        elif isinstance(rule, MomentRule):
            left = _less(left, Budget(until=rule.at.timestamp() - now))
    return left


def payer(record: JobRecord, budgets: Container[str]) -> str | None:
    """The campaign that pays for a job: who made it, else who holds it. One that others joined counts for one
    of them here, though it is added to what each has spent."""
    names = (record.maker, record.held_by, *record.campaigns)
    return next((name for name in names if name and name in budgets), None)


def draws(records: Iterable[JobRecord], now: float) -> dict[str, float]:
    """kW by network, and under "" of whatever, where attempts told of their energy: medians."""
    seen: dict[str, list[float]] = {}
    for record in records:
        kwh, until = attempt_kwh(record), now if record.state is JobState.RUNNING else record.finished
        if kwh > _LEAST_KWH and record.claimed and until and until > record.claimed:
            for kind in {"", network_of(record)}:
                seen.setdefault(kind, []).append(kwh * 3600 / (until - record.claimed))
    return {kind: median(values) for kind, values in seen.items()}


def draw(record: JobRecord, known: Mapping[str, float]) -> float:
    """kW of a job, by jobs of its network, else by any; 0 where nothing is known."""
    return known.get(network_of(record), known.get("", 0.0))


def network_of(record: JobRecord) -> str:
    """Its type; empty where the record says none."""
    network = record.spec.get("network_g")
    return str(network.get("type", "")) if isinstance(network, Mapping) else ""


def _less(one: Budget, other: Budget) -> Budget:
    pairs = (one.seconds, other.seconds), (one.kwh, other.kwh), (one.until, other.until)
    return Budget(*(max(min(pair), 0.0) for pair in pairs))
