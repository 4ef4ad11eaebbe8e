"""What the jobs of a campaign may spend together, and what happens when it is spent."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from srqueue.run.reasons import JobState
from srqueue.spec.stop_rules import CostRule, EnergyRule, MomentRule, Rule, TimeRule, plain
from srqueue.spec.stopping import parse_rules
from srqueue.store.campaigns import CampaignRecord, Campaigns
from srqueue.store.record import Bell, JobRecord
from srqueue.store.store import Store

SPENT = "budget_spent"
"""Field of a campaign's record: that it was stopped for its budget."""


@dataclass(frozen=True)
class Spending:
    """What a campaign has taken: seconds of its jobs' attempts, and their kWh, running ones included."""

    seconds: float
    kwh: float


def spending(store: Store, campaigns: Campaigns, record: CampaignRecord) -> Spending:
    """As it stands now."""
    running = store.many(list(campaigns.ids(record.name, (JobState.RUNNING,))))
    now = time.time()
    seconds = sum(max(0.0, now - job.claimed) for job in running if job.claimed)
    ended = float(record.more.get("spent_kwh") or 0.0)
    return Spending(record.spent_s + seconds, ended + sum(map(attempt_kwh, running)))


def attempt_kwh(job: JobRecord) -> float:
    """kWh that the newest attempt at a job is known to have taken."""
    value = job.progress.get("attempt_kwh")
    own = job.progress.get("kwh_token") == job.token
    return float(value) if own and isinstance(value, int | float) else 0.0


def budget_of(record: CampaignRecord) -> tuple[Rule, ...]:
    """Its budget, whichever part of it is spent first."""
    return parse_rules(record.spec.get("budget") or ())


def spent_text(budget: Iterable[Rule], spent: Spending, now: datetime) -> str | None:
    """Which part of a budget is spent, in words; None while none is."""
    for rule in budget:
        if isinstance(rule, MomentRule) and now >= rule.at:
            return f"its budget is spent: {rule} has come"
        if isinstance(rule, TimeRule) and spent.seconds >= rule.seconds:
            return f"its budget is spent: {_time(spent.seconds, rule.seconds)} of {rule}"
        if isinstance(rule, EnergyRule) and spent.kwh >= rule.kwh:
            return f"its budget is spent: {plain(round(spent.kwh, 3))} of {rule}"
        if isinstance(rule, CostRule) and rule.price and spent.kwh * rule.price >= rule.amount:
            return f"its budget is spent: {spent.kwh * rule.price:.2f} of {rule}"
    return None


def _time(seconds: float, of: float) -> str:
    return f"{seconds / 3600:.2f} h" if of >= 3600 else f"{seconds:.0f} s"


def enforce(store: Store, campaigns: Campaigns, record: CampaignRecord) -> tuple[bool, Sequence[Bell]]:
    """Whether the budget of a campaign is spent, and whom to ring for.

    Then nothing of it begins any more, and what runs ends with its best weights.
    """
    if record.state == "stopped" and record.more.get(SPENT):
        return True, _conclude(campaigns, record.name, record.message)
    budget = budget_of(record) if record.state == "active" else ()
    if not budget:
        return False, ()
    text = spent_text(budget, spending(store, campaigns, record), datetime.now(UTC))
    if text is None:
        return False, ()
    campaigns.set(record.name, state="stopped", message=text, **{SPENT: "1"})
    return True, _conclude(campaigns, record.name, text)


def _conclude(campaigns: Campaigns, name: str, text: str) -> Sequence[Bell]:
    ids = list(campaigns.ids(name, (JobState.RUNNING, JobState.QUEUED)))
    return campaigns.conclude(name, ids, f"campaign {name}: {text}") if ids else ()
