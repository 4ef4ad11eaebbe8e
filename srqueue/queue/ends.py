"""How far the trainings of records go: their rungs and stop rules."""

from __future__ import annotations

from dataclasses import replace

from srqueue.errors import SpecError
from srqueue.forecast.limits import Limits
from srqueue.forecast.told import Told
from srqueue.run.reasons import JobState, StopReason
from srqueue.spec.stop_rules import GainRule, ReachRule
from srqueue.spec.stopping import parse_rules
from srqueue.store.record import JobRecord
from srqueue.store.store import Store


def limits_of(record: JobRecord) -> Limits:
    """As its record says; rules of another version are none."""
    try:
        return Limits.of(parse_rules(record.spec.get("stop") or ()), record.until)
    except SpecError:
        return Limits(record.until)


def told_of(record: JobRecord) -> Told | None:
    """Its own forecast; None where that was of a rung from which it goes on. The end is left out that an
    attempt before told: it knew nothing of what came between."""
    told = Told.of(record.progress)
    if told is not None and told.made < (record.claimed or 0.0):
        told = replace(told, end=None)
    if told is None or told.ends_at is None:
        return told
    there = told.ends_at.high <= record.iteration < limits_of(record).length(record.total_iter)
    return None if there else told


def cut(record: JobRecord) -> bool:
    """Whether a rule or a budget ended it, where others of its kind may go on."""
    if record.reason is StopReason.BUDGET_SPENT:
        return True
    if record.reason is not StopReason.STOPPED_EARLY:
        return False
    try:
        rules = parse_rules(record.spec.get("stop") or ())
    except SpecError:
        return True
    return any(isinstance(rule, GainRule | ReachRule) for rule in rules)


def at_rungs(store: Store, most: int, campaign: str | None = None) -> int:
    """How many wait at a rung, and may go on from there; of the newest `most` that are paused."""
    paused = store.list([JobState.PAUSED], most, campaign=campaign)
    return sum(r.reason is StopReason.RUNG and not r.stopped for r in paused)
