"""Stop rules: a user's words in, a rule out, and back to words."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.errors import SpecError
from srqueue.spec.automations import HIGHER_IS_BETTER
from srqueue.spec.job import JobSpec, spec_id
from srqueue.spec.stop_rules import (
    CostRule,
    EnergyRule,
    GainRule,
    IterationRule,
    MomentRule,
    ReachRule,
    TimeRule,
)
from srqueue.spec.stopping import parse_rule, parse_rules
from srqueue.spec.validate import validate

SUNDAY = datetime(2026, 11, 29, 21, 0).astimezone()


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("18h", TimeRule(seconds=18 * 3600)),
        ("90min", TimeRule(seconds=5400)),
        ("1h30min", TimeRule(seconds=5400)),
        ("1.5 days", TimeRule(seconds=36 * 3600)),
        ("45 s", TimeRule(seconds=45)),
        ("6kWh", EnergyRule(kwh=6)),
        ("750 Wh", EnergyRule(kwh=0.75)),
        ("3.50 EUR", CostRule(amount=3.5, currency="EUR")),
        ("3.5 eur", CostRule(amount=3.5, currency="EUR")),
        ("€3.50 at 0.3/kWh", CostRule(amount=3.5, currency="EUR", price=0.3)),
        ("20000 it", IterationRule(iterations=20000)),
        ("20 kit", IterationRule(iterations=20000)),
        ("< 0.02 dB in 2h", GainRule(metric="val/psnr", gain=0.02, seconds=7200)),
        ("<0.001 val/ssim in 5000 it", GainRule(metric="val/ssim", gain=0.001, iterations=5000)),
        ("val/psnr > 31.5 dB", ReachRule(metric="val/psnr", value=31.5)),
        ("psnr>job:abc+0.1", ReachRule(metric="val/psnr", value=0.1, job="abc")),
        ("val/ssim > job:my-job.2 - 0.01", ReachRule(metric="val/ssim", value=-0.01, job="my-job.2")),
        ("train/loss < 0.01", ReachRule(metric="train/loss", value=0.01)),
    ],
)
def test_a_users_words(words, rule):
    assert parse_rule(words) == rule


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ("22:00", SUNDAY.replace(hour=22)),
        ("20:00", (SUNDAY + timedelta(days=1)).replace(hour=20)),
        ("Sun 22:00", SUNDAY.replace(hour=22)),
        ("sunday 20:30", (SUNDAY + timedelta(days=7)).replace(hour=20, minute=30)),
        ("Tue 6:00", (SUNDAY + timedelta(days=2)).replace(hour=6)),
        ("tomorrow 08:00", (SUNDAY + timedelta(days=1)).replace(hour=8)),
        ("2026-12-01 08:00", datetime(2026, 12, 1, 8).astimezone()),
        ("2026-12-01T08:00+02:00", datetime(2026, 12, 1, 6, tzinfo=UTC)),
    ],
)
def test_a_moment_is_the_next_one(words, at):
    assert parse_rule(words, SUNDAY) == MomentRule(at=at)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("18", "no unit"),
        ("18x", "unknown unit 'x'"),
        ("6 kwhh", "did you mean 'kwh'"),
        ("0h", "spent before anything is trained"),
        ("Son 22:00", "did you mean 'sun'"),
        ("Sun 25:00", "no time of day"),
        ("2026-13-01", "no date"),
        ("val/psn > 31", "did you mean 'val/psnr'"),
        ("val/psnr < 31", "val/psnr >"),
        ("< 0.02 in 2h", "no gain within a window"),
        ("< 0.02 dB in 2kWh", "time or iterations"),
        ("2.5 it", "whole numbers"),
        ("5 EUR at 0.3 USD/kWh", "a price in USD"),
        ("soon", "is no stop rule"),
        ("", "empty"),
    ],
)
def test_what_is_wrong_is_said_with_a_way_out(words, told):
    with pytest.raises(SpecError) as error:
        parse_rule(words)
    assert told in str(error.value)


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(SpecError) as error:
        parse_rules(["18x, 6kWh", "val/psn > 3"])
    assert "18x" in str(error.value) and "val/psn" in str(error.value) and "6kWh" not in str(error.value)


amounts = st.floats(1e-6, 1e6, allow_nan=False).filter(lambda x: x > 0)
metrics = st.sampled_from(sorted(HIGHER_IS_BETTER))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
rules = st.one_of(
    st.builds(TimeRule, seconds=amounts),
    st.builds(EnergyRule, kwh=amounts),
    st.builds(
        CostRule, amount=amounts, currency=st.sampled_from(["EUR", "USD", "CHF"]), price=amounts | st.none()
    ),
    st.builds(MomentRule, at=st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=offsets)),
    st.builds(IterationRule, iterations=st.integers(1, 10**8)),
    st.builds(GainRule, metric=metrics, gain=amounts, seconds=amounts, iterations=st.none()),
    st.builds(GainRule, metric=metrics, gain=amounts, seconds=st.none(), iterations=st.integers(1, 10**8)),
    st.builds(ReachRule, metric=metrics, value=amounts, job=st.none()),
    st.builds(
        ReachRule, metric=metrics, value=amounts | amounts.map(lambda x: -x) | st.just(0.0),
        job=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,20}\Z"),
    ),
)  # fmt: skip


@given(rules)
def test_what_is_printed_is_read_as_the_same(rule):
    assert parse_rule(str(rule)) == rule


@given(st.lists(rules, max_size=5, unique=True))
def test_a_spec_keeps_its_rules(made):
    base = {"name": "n", "network_g": {"type": "compact"}, "datasets": {"train": {"name": "d"}},
            "train": {"total_iter": 10}}  # fmt: skip
    spec = JobSpec.model_validate({**base, "stop": [str(rule) for rule in made]})
    assert list(spec.stop) == made
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec
    assert spec_id(spec) == spec_id(JobSpec.model_validate(base))


def test_a_text_of_several_rules_is_a_list():
    raw = {"name": "n", "network_g": {"type": "compact"}, "datasets": {"train": {"name": "d"}},
           "train": {"total_iter": 10}, "stop": "18h, < 0.02 dB in 2h"}  # fmt: skip
    assert validate(raw, "here").model_dump(mode="json")["stop"] == ["18h", "< 0.02 dB in 2h"]
    with pytest.raises(SpecError) as error:
        validate({**raw, "stop": ["18x", 18, "psn > 3"]}, "here", {"stop": "flag --stop"})
    assert all(part in str(error.value) for part in ("stop.0", "stop.1", "stop.2", "from flag --stop"))
