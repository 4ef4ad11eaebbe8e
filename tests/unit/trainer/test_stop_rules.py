"""Stop rules as tables: validations in, iteration and reason of the end out."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.run.reasons import StopReason
from srqueue.spec.stopping import parse_rule
from workers.trainer.stop_rules import Standing, StopRules

BEGUN = datetime(2026, 11, 29, 20, 0, tzinfo=UTC)


LAST_200 = "less than 0.1 dB in the last 200 iterations (0.01 dB)"
LAST_300 = "less than 0.1 dB in the last 300 iterations (0.05 dB)"


def standing(iteration, second=1.0, kwh=1e-3):
    """After `iteration` steps of so many seconds and kWh each."""
    return Standing(
        iteration, iteration * second, iteration * kwh, BEGUN + timedelta(seconds=iteration * second)
    )


def rules(*texts, targets=None, decay=0):
    made = StopRules([parse_rule(text, BEGUN) for text in texts], targets, decay)
    made.begin(0.0, 0.0)
    return made


def ends(made, values, every=100, metric="val/psnr"):
    """(iteration, text) of the first act, or None."""
    for i, value in enumerate(values, 1):
        if action := made.observe(standing(i * every), {metric: value}):
            return i * every, action.reason
    return None


@pytest.mark.parametrize(
    ("text", "at", "told"),
    [
        ("250s", 300, "its 250s are spent"),
        ("0.25 kWh", 300, "its 0.25 kWh are spent"),
        ("0.06 EUR at 0.3/kWh", 200, "its 0.06 EUR at 0.3 EUR/kWh are spent"),
        ("2026-11-29 20:05+00:00", 300, "2026-11-29 20:05+00:00 has come"),
    ],
)
def test_budgets(text, at, told):
    made = rules(text)
    assert ends(made, [30 + i for i in range(9)]) == (at, told)
    assert made.reason is StopReason.BUDGET_SPENT and made.ends_now


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("< 0.1 dB in 200 it", [30.0] * 9, (300, "less than 0.1 dB in the last 200 iterations (0 dB)")),
        ("< 0.1 dB in 200s", [30.0] * 9, (300, "less than 0.1 dB in the last 200 s (0 dB)")),
        ("< 0.1 dB in 200 it", [30, 30.06, 30.12, 30.18, 30.24, 30.3], None),
        ("< 0.1 dB in 200 it", [30, 30.2, 30.1, 30.21, 30.1], (400, LAST_200)),
        # a noisy low value is no loss of the best so far, and coming back from it no gain
        ("< 0.1 dB in 300 it", [30, 31, 29, 31.05, 30.9], (500, LAST_300)),
        ("val/psnr > 30.5", [30, 30.5, 30.6], (300, "val/psnr is 30.6000, above 30.5000")),
    ],
)  # fmt: skip
def test_gains_and_values(text, values, expected):
    assert ends(rules(text), values) == expected


def test_a_gain_by_a_metric_that_falls():
    assert ends(rules("< 0.01 train/loss in 200 it"), [0.5, 0.4, 0.3, 0.299, 0.298], metric="train/loss") == (
        500, "less than 0.01 train/loss in the last 200 iterations (0.002 train/loss)",
    )  # fmt: skip


def test_a_job_to_be_better_than():
    job = "01ABC" + "0" * 15 + "XYZ123"
    known = rules(f"val/psnr > job:{job} + 0.1", targets={job: {"val/psnr": 30.0}})
    assert ends(known, [30, 30.1, 30.2]) == (300, "val/psnr is 30.2000, above 30.1000, from job xyz123")
    unknown = rules(f"val/psnr > job:{job} + 0.1")
    assert ends(unknown, [99.0]) is None and unknown.unknown() == [f"val/psnr > job:{job} + 0.1"]


def test_whichever_comes_first():
    made = rules("250s", "val/psnr > 40", "< 0.1 dB in 100 it")
    assert ends(made, [30.0] * 9) == (200, "less than 0.1 dB in the last 100 iterations (0 dB)")
    assert made.reason is StopReason.STOPPED_EARLY


def test_of_another_run_that_it_goes_on_from_nothing_counts():
    made = StopRules([parse_rule("250s")])
    made.begin(1000.0, 5.0)
    assert made.look(Standing(100, 1249.0, 5.0, BEGUN)) is None
    assert made.look(Standing(101, 1250.0, 5.0, BEGUN)) is not None


def test_a_decay_has_room_before_its_budget_and_a_gain_begins_it():
    made = rules("1000s", decay=200)
    action = next(a for i in range(1, 20) if (a := made.look(standing(i * 50))))
    assert action.did == "started the decay of the learning rate" and made.decaying and not made.ends_now
    assert made.look(standing(1000)).did == "stopped the run" and made.ends_now
    gains = rules("< 0.1 dB in 200 it", decay=200)
    assert ends(gains, [30.0] * 5)[0] == 300 and gains.decaying
    assert gains.reason is StopReason.STOPPED_EARLY
    assert rules("1000 it", decay=200).decay_from == 800


def test_once_the_rate_decays_to_its_end_no_rule_begins_that_and_a_spent_budget_still_ends_it():
    made = rules("110s", "< 0.1 dB in 10 it", decay=20)
    for iteration in range(81, 101):  # the last 20 of 100, at a second each
        at = replace(standing(iteration), decays=True)
        assert made.look(at) is None and made.observe(at, {"val/psnr": 30.0}) is None
    assert made.reason is None and not made.decaying
    assert made.look(replace(standing(110), decays=True)).did == "stopped the run"


def test_a_moment_that_passed_before_the_first_iteration_leaves_nothing_to_keep():
    made = rules("2026-11-29 20:05+00:00", "1s", "1 it")
    assert made.look_first(BEGUN) is None and made.reason is None
    made.look_first(BEGUN + timedelta(minutes=5))
    assert (made.reason, made.text) == (
        StopReason.CANCELLED, "2026-11-29 20:05+00:00 has come before its first iteration",
    )  # fmt: skip


def test_it_can_be_imported_alone():
    code = "import workers.trainer.stop_rules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


VALUES = st.lists(st.floats(20, 40), min_size=1, max_size=30)
TEXTS = st.lists(
    st.sampled_from(["< 0.5 dB in 300 it", "< 0.2 dB in 500s", "val/psnr > 39", "2000s", "1.5 kWh"]),
    unique=True,
)


@given(VALUES, TEXTS, st.integers(0, 30))
def test_a_state_that_was_saved_and_loaded_ends_the_same(values, texts, cut):
    import json

    unbroken, before = rules(*texts), rules(*texts)
    expected = ends(unbroken, values)
    assert ends(before, values[:cut]) == (expected if expected and expected[0] <= cut * 100 else None)
    after = StopRules([parse_rule(text) for text in texts])
    after.load_state_dict(json.loads(json.dumps(before.state_dict())))
    after.begin(12345.0, 99.0)
    if not before.ends_now:
        for i in range(cut + 1, len(values) + 1):
            if after.observe(standing(i * 100), {"val/psnr": values[i - 1]}):
                break
    assert (after.reason, after.text) == (unbroken.reason, unbroken.text)
