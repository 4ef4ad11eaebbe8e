"""The grammar of stop rules, in a user's words.

    18h   90min   1h30min            training time          3.50 EUR      what its energy costs
    6 kWh                            energy                 20000 it      iterations
    22:00   Sun 22:00   2026-12-01 08:00                    a moment by the clock
    < 0.02 dB in 2h   < 0.001 val/ssim in 5000 it           it gains less than that in a window
    val/psnr > 31.5   val/psnr > job:abc + 0.1              it is as good as that

Several, parted by commas or as a list: whichever comes first.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator

from srqueue.errors import SpecError, did_you_mean
from srqueue.spec.automations import HIGHER_IS_BETTER, MonitoredMetric
from srqueue.spec.clock_words import looks_like_a_moment, moment
from srqueue.spec.stop_rules import (
    HOUR,
    MINUTE,
    RULES,
    Budget,
    CostRule,
    EnergyRule,
    GainRule,
    IterationRule,
    MomentRule,
    ReachRule,
    Rule,
    TimeRule,
)

_NUMBER = r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_PART = re.compile(rf"({_NUMBER})\s*([A-Za-z]+)\s*")
_COST = re.compile(
    rf"({_NUMBER})\s*([A-Z]{{3}}|[€$£]|eur|usd|gbp|chf)(?:\s*(?:at|@)\s*({_NUMBER})\s*([A-Z]{{3}}|[€$£]|eur|usd|gbp|chf)?\s*(?:/|per)\s*kWh)?\Z"
)
_GAIN = re.compile(rf"<\s*({_NUMBER})\s*([A-Za-z][\w/]*)\s*(?:in|per|within|over)\s*(.+)\Z")
_REACH = re.compile(
    rf"([A-Za-z][\w/]*)\s*(>=?|<=?)\s*(?:job:\s*([A-Za-z0-9][\w.-]*)(?:\s*([-+])\s*({_NUMBER}))?|({_NUMBER}))"
    r"\s*(dB)?\Z",
    re.IGNORECASE,
)
_TIMES = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes", "m"), MINUTE),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), HOUR),
    **dict.fromkeys(("d", "day", "days"), 24 * HOUR),
    **dict.fromkeys(("week", "weeks"), 168 * HOUR),
}
_ENERGIES = {"kwh": 1.0, "wh": 1e-3, "mwh": 1e3}
_ITERATIONS = {
    **dict.fromkeys(("it", "its", "iter", "iteration", "iterations", "step", "steps"), 1),
    **dict.fromkeys(("kit",), 1000),
}
_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP"}
_METRICS: dict[str, MonitoredMetric] = {
    "val/psnr": "val/psnr", "psnr": "val/psnr", "db": "val/psnr", "val/ssim": "val/ssim", "ssim": "val/ssim",
    "val/psnr_rgb": "val/psnr_rgb", "psnr_rgb": "val/psnr_rgb", "train/loss": "train/loss",
    "loss": "train/loss",
}  # fmt: skip
_EXAMPLES = "18h, 6kWh, Sun 22:00, 20000 it, < 0.02 dB in 2h, val/psnr > 31.5"


def parse_rule(text: str, now: datetime | None = None) -> Rule:
    """The rule that one text means. `now` (default: the clock): what "22:00" and "Sun 22:00" come after.

    Raises SpecError with a hint.
    """
    given = " ".join(text.split())
    if not given:
        raise SpecError("an empty stop rule", hint=f"such as {_EXAMPLES}")
    if given.startswith("<"):
        return _gain(given)
    if re.search(r"[<>]", given):
        return _reach(given)
    if looks_like_a_moment(given):
        return MomentRule(at=moment(given, now or datetime.now().astimezone()))
    given = re.sub(rf"\A([€$£])\s*({_NUMBER})", r"\2 \1", given)
    if cost := _COST.match(given):
        return _cost(cost, given)
    return _amount(given)


def split_rules(value: Any) -> Any:
    """A text of several rules, or a list of such texts, as a list of one text each; others as they are."""
    items = value if isinstance(value, list | tuple) else [value]
    found: list[Any] = []
    for item in items:
        found += [part for part in item.split(",") if part.strip()] if isinstance(item, str) else [item]
    return found


def parse_rules(value: Any, now: datetime | None = None) -> tuple[Rule, ...]:
    """The rules in a text or a list of texts. Raises SpecError that tells of every one that is wrong."""
    rules: list[Rule] = []
    wrong: list[str] = []
    for text in split_rules(value):
        try:
            rules.append(_rule(text, now))
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise SpecError("\n  ".join(wrong), where="stop rules")
    return tuple(dict.fromkeys(rules))


def _rule(value: Any, now: datetime | None = None) -> Rule:
    if isinstance(value, RULES):
        return value
    if isinstance(value, datetime):  # what YAML makes of 2026-12-01 08:00:00: UTC where it had an offset
        return MomentRule(at=value if value.tzinfo else value.astimezone())
    if isinstance(value, date):
        value = f"{value} 00:00"
    if not isinstance(value, str):
        raise ValueError(
            f"{value!r} is no stop rule: write a text with a unit ({_EXAMPLES}), a time of day in quotes"
        )
    try:
        return parse_rule(value, now)
    except SpecError as error:
        raise ValueError("; ".join(filter(None, [error.message, error.hint]))) from None


def _budget(value: Any) -> Rule:
    rule = _rule(value)
    if not isinstance(rule, Budget):
        raise ValueError(
            f"{rule} is of one training, no budget of many; a budget is 60h, 6kWh, 20 EUR or Sun 22:00"
        )
    return rule


StopRule = Annotated[Rule, PlainValidator(_rule), PlainSerializer(str)]
StopRules = Annotated[tuple[StopRule, ...], BeforeValidator(split_rules), Field(max_length=20)]
"""A field that takes rules as one text, or as a list of texts, and is written down as their texts."""

Budgets = Annotated[
    tuple[Annotated[Rule, PlainValidator(_budget), PlainSerializer(str)], ...],
    BeforeValidator(split_rules),
    Field(max_length=20),
]
"""The same of what many trainings may spend together: time, energy, money, or until when."""


def _amount(text: str) -> Rule:
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text):
        if re.fullmatch(_NUMBER, text):
            raise SpecError(f"{text} has no unit", hint=f"{text}h, {text}min, {text} it or {text}kWh?")
        raise SpecError(f"{text!r} is no stop rule", hint=f"such as {_EXAMPLES}")
    units = {unit.lower() for _, unit in parts}
    if units <= _TIMES.keys():
        return TimeRule(seconds=_more_than_none(text, sum(float(n) * _TIMES[u.lower()] for n, u in parts)))
    if len(parts) == 1:
        number, unit = float(parts[0][0]), parts[0][1].lower()
        if unit in _ENERGIES:
            return EnergyRule(kwh=_more_than_none(text, number * _ENERGIES[unit]))
        if unit in _ITERATIONS:
            return IterationRule(iterations=_whole(text, number * _ITERATIONS[unit]))
    unknown = next((unit for _, unit in parts if unit.lower() not in _TIMES), parts[-1][1])
    known = ["h", "min", "s", "days", "kwh", "wh", "it", "eur", "usd"]
    raise SpecError(f"{text!r}: unknown unit {unknown!r}", hint=did_you_mean(unknown.lower(), known))


def _cost(found: re.Match[str], text: str) -> CostRule:
    currency = _SIGNS.get(found[2], found[2].upper())
    other = found[4] and _SIGNS.get(found[4], found[4].upper())
    if other and other != currency:
        raise SpecError(f"{text!r}: an amount in {currency} and a price in {other}", hint="give both in one")
    price = None if found[3] is None else _more_than_none(text, float(found[3]))
    return CostRule(amount=_more_than_none(text, float(found[1])), currency=currency, price=price)


def _gain(text: str) -> GainRule:
    found = _GAIN.match(text)
    if found is None:
        raise SpecError(f"{text!r} is no gain within a window", hint="write < 0.02 dB in 2h, or in 5000 it")
    gain, metric = _more_than_none(text, float(found[1])), _metric(found[2])
    window = _amount(found[3].strip())
    if isinstance(window, TimeRule):
        return GainRule(metric=metric, gain=gain, seconds=window.seconds)
    if isinstance(window, IterationRule):
        return GainRule(metric=metric, gain=gain, iterations=window.iterations)
    raise SpecError(f"{text!r}: a window is of time or iterations", hint="write in 2h, or in 5000 it")


def _reach(text: str) -> ReachRule:
    found = _REACH.match(text)
    if found is None:
        raise SpecError(
            f"{text!r} is no value to reach", hint="write val/psnr > 31.5, or val/psnr > job:abc + 0.1"
        )
    metric, job = _metric(found[1]), found[3]
    better = ">" if HIGHER_IS_BETTER[metric] else "<"
    if found[2][0] != better:
        raise SpecError(f"{text!r}: {metric} gets better as it {'rises' if better == '>' else 'falls'}",
                        hint=f"write {metric} {better} ...")  # fmt: skip
    if job is None:
        return ReachRule(metric=metric, value=float(found[6]))
    return ReachRule(metric=metric, value=float(f"{found[4] or ''}{found[5] or 0}"), job=job)


def _metric(word: str) -> MonitoredMetric:
    if (metric := _METRICS.get(word.lower())) is None:
        raise SpecError(
            f"unknown metric {word!r}", hint=did_you_mean(word.lower(), [*HIGHER_IS_BETTER, "dB"])
        )
    return metric


def _more_than_none(text: str, value: float) -> float:
    if not 0 < value < float("inf"):
        raise SpecError(f"{text!r} is spent before anything is trained", hint="give more than 0")
    return value


def _whole(text: str, value: float) -> int:
    if value != int(value):
        raise SpecError(f"{text!r}: iterations are whole numbers")
    return int(_more_than_none(text, value))
