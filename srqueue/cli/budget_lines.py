"""How it is printed what is foreseen of budgets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from srqueue.counting import counted
from srqueue.forecast.told import clock

if TYPE_CHECKING:
    from srqueue.forecast.running import RunForecast
    from srqueue.queue.outlook import BudgetOutlook
    from srqueue.settings import Settings
    from srqueue.spec.job import JobSpec
    from srqueue.spec.stop_rules import Rule


def budget_remarks(budgets: Sequence[BudgetOutlook], now: float) -> Iterator[str]:
    """Which budgets end campaigns before their jobs do; `now`: UTC s."""
    for one in budgets:
        rules = f"campaign {one.campaign}: its budget ({', '.join(one.rules)})"
        if one.unmetered:
            yield f"note: {rules}: nothing that ran told of its energy, so its end is not foreseen by that"
        if one.at is None:
            continue
        low, high = clock(now + one.at.low, now), clock(now + one.at.high, now)
        when = clock(now + one.at.middle, now)
        if low != high:
            when += f" (four times of five between {low} and {high})"
        rest = (
            f"{counted(one.unbegun, 'job')} will not have begun" if one.unbegun else "what runs is cut short"
        )
        if one.share > 0.5:
            yield f"{rules} will be spent {when}: {rest}"
        else:
            share = f"{one.share:.0%}".replace("%", " %")
            yield f"{rules} may not last: spent in {share} of the ways that it may go, then {when}; {rest}"


def budget_dicts(budgets: Sequence[BudgetOutlook], now: float) -> list[dict[str, Any]]:
    """The same for programs; times in UTC s."""
    return [
        {
            "campaign": one.campaign, "budget": list(one.rules), "spent_in_share": round(one.share, 3),
            "spent": [round(now + s, 1) for s in one.at.row(3)] if one.at else None,
            "not_begun": one.unbegun, "unmetered": one.unmetered,
        }
        for one in budgets
    ]  # fmt: skip


def one_worker_lines(
    settings: Settings,
    specs: Sequence[JobSpec],
    found: Sequence[RunForecast],
    budget: Sequence[Rule],
    now: float,
) -> Iterator[str]:
    """What windows make of the time that specs take one after the other, and how far their budget goes."""
    from srqueue.queue.cell_forecasts import on_one_worker
    from srqueue.spec.stop_rules import CostRule, EnergyRule

    windows = any(spec.window for spec in specs)
    if not windows and not budget:
        return
    played, rules = on_one_worker(settings, specs, found, budget, now), ", ".join(map(str, budget))
    if played.spent is not None:
        rest = f"with {counted(played.unbegun, 'cell')} not begun" if played.unbegun else "during the last"
        yield f"its budget ({rules}) is spent {clock(now + played.spent, now)}, {rest}, on one worker"
    elif windows and played.end is not None:
        yield f"in its windows it ends {clock(now + played.end, now)} at the earliest, on one worker"
    if played.unmetered and any(isinstance(rule, EnergyRule | CostRule) for rule in budget):
        yield f"note: nothing that ran told of its energy: how far {rules} goes is not foreseen by that"
