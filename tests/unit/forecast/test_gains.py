"""Stop rules that look at validations are foreseen as the trainer will count them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.forecast.gains import Gains
from srqueue.forecast.limits import Limits
from srqueue.forecast.running import forecast_run
from srqueue.forecast.timing import Report
from srqueue.forecast.watched import Validation, Watched
from srqueue.spec.stopping import parse_rules
from srqueue.spec.training import TrainSpec
from workers.trainer.stop_rules import Standing, StopRules

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEXTS = ["< 0.1 dB in 500 it", "< 0.05 dB in 30 s", "val/psnr > 31", "val/psnr > job:abc + 0.5"]
TARGETS = {"abc": {"val/psnr": 30.0}}


@given(
    st.lists(st.floats(28, 32), min_size=1, max_size=40),
    st.sets(st.sampled_from(TEXTS), min_size=1),
    st.sampled_from([0.02, 0.1]),
)
def test_it_ends_where_the_trainer_does(values, texts, pace):
    rules = parse_rules(sorted(texts))
    trainer, foreseen = StopRules(rules, TARGETS), Gains.of(rules, TARGETS).seen((), pace)
    for place, psnr in enumerate(values, 1):
        iteration = 100 * place
        standing = Standing(iteration, iteration * pace, 0.0, NOW)
        acted = trainer.observe(standing, {"val/psnr": psnr}) is not None
        assert (foreseen.too_little(iteration, psnr) | foreseen.reached(psnr)) == acted
        if acted:
            return


def rising(until=3000, every=200, speed=10.0, kwh=None):
    """32 - 3/(x + 0.3)^0.7 dB: fast at first, then ever less."""
    vals = [(it, 32 - 3 * (it / 1000 + 0.3) ** -0.7) for it in range(every, until + 1, every)]
    return Watched(
        validations=[Validation(it, psnr, 0.9, 0.0) for it, psnr in vals],
        reports=[Report(it, it / speed, 1, speed) for it, _ in vals],
        iteration=until, spent=until / speed, now=1000.0, kwh=kwh,
    )  # fmt: skip


def forecast(*texts, **known):
    limits = Limits.of(parse_rules(list(texts)))
    return forecast_run(rising(**known), TrainSpec(total_iter=10_000), 200, limits=limits)


def test_a_run_that_soon_gains_too_little_is_foreseen_to_end_sooner():
    whole, short = forecast(), forecast("< 0.2 dB in 1000 it")
    # Of the true curve the first window of 1,000 iterations with a gain below 0.2 dB ends about 5,400.
    assert 4000 <= short.ends_at.middle <= 6800 and short.seconds.middle < whole.seconds.middle
    assert short.psnr.middle < whole.psnr.middle
    by_time = forecast("< 0.2 dB in 100 s")
    assert by_time.ends_at.middle == pytest.approx(short.ends_at.middle, abs=400)


def test_a_run_that_reaches_its_value_ends_there():
    found = forecast("val/psnr > 31.2")  # the true curve is there after about 6,300
    assert 4800 <= found.ends_at.middle <= 8200
    assert forecast("val/psnr > 40").ends_at.low == 10_000


def test_energy_and_money_become_a_time_at_the_measured_power():
    assert forecast("1 kWh", kwh=0.6).ends_at.middle == pytest.approx(5000, abs=20)
    assert forecast("0.5 EUR at 0.25 EUR/kWh", kwh=1.0).ends_at.middle == pytest.approx(6000, abs=20)
    assert forecast("1 kWh").ends_at.middle == 10_000  # nothing tells what it draws
