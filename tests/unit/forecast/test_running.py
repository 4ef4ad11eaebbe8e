"""Forecasts of curves whose end is known."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srqueue.forecast.fitting import Point, fit
from srqueue.forecast.limits import Limits
from srqueue.forecast.running import forecast_run
from srqueue.forecast.schedule import rate_share
from srqueue.forecast.timing import Report, Speed
from srqueue.forecast.watched import Validation, Watched
from srqueue.spec.training import TrainSpec

TOTAL, EVERY = 10_000, 200


def curve(kind, limit=32.0, height=3.0, noise=0.01, seed=0):
    """PSNR by iteration."""
    dice = random.Random(seed)

    def missing(it):
        x = it / 1000
        return {"power": (x + 0.3) ** -0.7, "exponential": math.exp(-x / 2), "log": 1 / math.log(x + math.e)}[
            kind
        ]

    return [
        (it, limit - height * missing(it) + dice.gauss(0, noise)) for it in range(EVERY, TOTAL + 1, EVERY)
    ]


def seen(values, share, speed=10.0):
    until = [(it, v) for it, v in values if it <= share * TOTAL]
    return Watched(
        validations=[Validation(it, psnr, 1 - 10 ** (-psnr / 30), 0.5, None) for it, psnr in until],
        reports=[Report(it, it / speed, 1, speed) for it, _ in until],
        iteration=until[-1][0],
    )  # fmt: skip


def forecast(values, share, **train):
    return forecast_run(seen(values, share), TrainSpec(total_iter=TOTAL, **train), EVERY)


@pytest.mark.parametrize("kind", ["power", "exponential", "log"])
@pytest.mark.parametrize("share", [0.25, 0.5])
def test_the_end_of_a_smooth_curve_lies_in_its_band_and_nearer_than_the_best_so_far(kind, share):
    values = curve(kind)
    found, end = forecast(values, share), max(v for _, v in values)
    best = max(v for it, v in values if it <= share * TOTAL)
    assert found.psnr.low - 0.02 <= end <= found.psnr.high + 0.02
    if kind != "exponential":  # few real curves end so soon: the forecast expects more of it
        assert abs(found.psnr.middle - end) < max(abs(best - end), 0.03)
    assert found.ssim.low <= found.ssim.middle <= found.ssim.high < 1


def test_bands_hold_what_they_promise_of_noisy_curves():
    inside = 0
    dice = random.Random(5)
    kinds = ["power", "exponential", "log"] * 10
    for number, kind in enumerate(kinds):
        height, noise = dice.uniform(1, 6), dice.uniform(0.005, 0.05)
        values = curve(kind, height=height, noise=noise, seed=number)
        band = forecast(values, dice.choice([0.2, 0.35, 0.5])).psnr
        inside += band.low <= max(v for _, v in values) <= band.high
    assert inside >= 0.65 * len(kinds)


@settings(max_examples=25)
@given(st.lists(st.floats(20, 40), min_size=4, max_size=25), st.floats(0.1, 10), st.floats(-20, 20))
def test_whatever_a_curve_does_bands_are_ordered_and_no_best_is_lost(values, factor, shift):
    points = [(EVERY * (i + 1), v) for i, v in enumerate(values)]
    found = forecast_run(
        Watched(validations=[Validation(it, v, 0.9, 0.1) for it, v in points], iteration=points[-1][0]),
        TrainSpec(total_iter=TOTAL), EVERY,
    )  # fmt: skip
    if found.psnr is not None:
        assert max(values) - 1e-9 <= found.psnr.low <= found.psnr.middle <= found.psnr.high
        assert math.isfinite(found.psnr.high)
    assert found.iteration <= found.ends_at.low <= found.ends_at.high <= TOTAL
    assert found.seconds is None  # nothing is known of its speed


def test_it_is_the_same_in_other_units():
    points = [Point(float(it), 1.0, v) for it, v in curve("power")[:20]]
    other = [Point(7.0 * p.progress, p.share, 5.0 * p.value - 9.0) for p in points]
    one, two = fit(points), fit(other)
    assert [f.weight for f in one.fits] == pytest.approx([f.weight for f in two.fits], rel=1e-3, abs=1e-5)
    at = one.fits[0].features(9_000.0, 1.0)
    there = two.fits[0].features(63_000.0, 1.0)
    mean = sum(b * x for b, x in zip(one.fits[0].beta, at, strict=True))
    theirs = sum(b * x for b, x in zip(two.fits[0].beta, there, strict=True))
    assert theirs == pytest.approx(5.0 * mean - 9.0, rel=1e-4)


def test_a_forecast_is_a_function_of_what_it_is_made_from():
    values = curve("power")
    assert forecast(values, 0.3) == forecast(values, 0.3)


def test_more_of_the_curve_makes_the_band_narrower():
    values = curve("power")
    widths = [forecast(values, share).psnr.half for share in (0.1, 0.3, 0.8)]
    assert widths[0] > widths[1] > widths[2]


def test_what_a_falling_rate_gains_goes_on_until_it_is_down():
    wsd = {"type": "wsd", "decay_share": 0.3}
    train = TrainSpec(total_iter=TOTAL, scheduler=wsd)
    values = [(it, v + 0.8 * (1 - rate_share(train, it - 1))) for it, v in curve("power")]
    found, end = forecast(values, 0.86, scheduler=wsd), max(v for _, v in values)
    best = max(v for it, v in values if it <= 0.86 * TOTAL)
    assert found.psnr.middle > best + 0.15 and abs(found.psnr.middle - end) < 0.2


def test_a_curve_that_falls_stays_at_its_best():
    falling = [(it, 31.0 - it / TOTAL) for it in range(EVERY, TOTAL + 1, EVERY)]
    found = forecast(falling, 0.5)
    assert found.psnr.middle == pytest.approx(31.0 - EVERY / TOTAL, abs=0.02)


def test_before_it_beats_bicubic_nothing_is_said_of_its_quality():
    young = seen(curve("power"), 0.3)
    young.bicubic = 40.0
    assert forecast_run(young, TrainSpec(total_iter=TOTAL), EVERY).psnr is None
    young.bicubic = 25.0
    assert forecast_run(young, TrainSpec(total_iter=TOTAL), EVERY).psnr is not None


def test_early_stopping_ends_a_flat_run_sooner():
    flat = [(it, 30.0 + 0.001 * (it % 400)) for it in range(EVERY, TOTAL + 1, EVERY)]
    stopping = {
        "enabled": True, "IntelligentLearningRateScheduler": {"enabled": False},
        "IntelligentEarlyStopping": {"patience": 3000, "min_improvement": 0.5},
    }  # fmt: skip
    found = forecast(flat, 0.2, training_automations=stopping)
    assert found.ends_at.high <= 200 + 3000 + EVERY
    assert found.seconds.high < (TOTAL - 2000) / 10
    assert forecast(flat, 0.2).ends_at.low == TOTAL


def test_few_validations_say_nothing_of_quality_but_of_time():
    found = forecast(curve("power"), 0.06)
    assert found.psnr is None and found.seconds.middle == pytest.approx(
        (TOTAL - 600) / 10 + 47 * 0.5, rel=0.05
    )
    nothing = forecast_run(Watched(), TrainSpec(total_iter=TOTAL), EVERY)
    assert nothing.seconds is None and nothing.psnr is None
    lent = forecast_run(Watched(), TrainSpec(total_iter=TOTAL), 0, Speed(20.0, 0.0, "a measurement", True))
    assert lent.seconds.middle == pytest.approx(500, rel=0.1)


def test_what_is_stored_is_small_and_tells_when():
    raw = forecast(curve("power"), 0.5).stored(1000.0)
    assert set(raw) == {"made", "iteration", "end", "psnr", "ssim", "ends_at"}
    assert raw["end"][0] > 1000 and len(str(raw)) < 300


def test_rungs_and_rules_end_it_sooner_and_lower():
    values = curve("power")
    known = seen(values, 0.25)
    whole = forecast_run(known, TrainSpec(total_iter=TOTAL), EVERY)
    for limits in (Limits(rung=5000), Limits(iterations=5000)):
        found = forecast_run(known, TrainSpec(total_iter=TOTAL), EVERY, limits=limits)
        assert found.ends_at.row(0) == [5000, 5000, 5000] and found.psnr.middle < whole.psnr.middle
        assert found.seconds.middle == pytest.approx(whole.seconds.middle / 3, rel=0.1)


def test_a_clock_caps_the_time_and_how_far_it_comes():
    known = seen(curve("power"), 0.25)
    known.spent, known.now = 255.0, 1000.0
    for limits in (Limits(seconds=355.0), Limits(moment=1100.0)):
        found = forecast_run(known, TrainSpec(total_iter=TOTAL), EVERY, limits=limits)
        assert found.seconds.row(1) == [100, 100, 100]
        assert found.ends_at.middle == 2400 + 975
    far = forecast_run(known, TrainSpec(total_iter=TOTAL), EVERY, limits=Limits(seconds=90_000.0))
    assert far == forecast_run(known, TrainSpec(total_iter=TOTAL), EVERY)


def test_a_rule_begins_the_decay_of_wsd_so_that_it_is_over_by_then():
    train = TrainSpec(total_iter=TOTAL, scheduler={"type": "wsd", "decay_share": 0.2})
    assert Limits(iterations=5000).decay_from(train) == 3000 and Limits(rung=5000).decay_from(train) is None
    assert Limits(iterations=5000).decay_from(TrainSpec(total_iter=TOTAL)) is None
    found = forecast_run(seen(curve("power"), 0.25), train, EVERY, limits=Limits(iterations=5000))
    assert found.ends_at.middle == 5000


def test_a_young_curve_may_rise_once_more_by_what_it_has_gained_over_bicubic():
    values = [(it, 31 - 3 * math.exp(-it / 300)) for it in range(EVERY, TOTAL + 1, EVERY)]

    def band(share, bicubic):
        known = seen(values, share)
        known.bicubic, known.bicubic_ssim = bicubic, None
        return forecast_run(known, TrainSpec(total_iter=TOTAL), EVERY).psnr, known.validations[-1].psnr

    plain, best = band(0.2, None)
    raised, _ = band(0.2, 29.0)
    assert (raised.low, raised.middle) == (plain.low, plain.middle)
    assert raised.high == pytest.approx(max(plain.high, plain.middle + 0.69 * (best - 29.0)))
    assert raised.high > plain.high + 0.5
    older = [band(share, 29.0)[0].high - band(share, None)[0].high for share in (0.3, 0.36, 0.46)]
    assert older[0] > older[1] > older[2] == 0
