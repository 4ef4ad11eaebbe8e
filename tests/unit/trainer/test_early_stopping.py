"""IntelligentEarlyStopping as tables: validations in, the iteration of the stop out."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.spec.automations import ONE_DB, EarlyStoppingSpec
from workers.trainer.automations.early_stopping import IntelligentEarlyStopping


def stops_at(values, every=100, start=0, **spec):
    """Iteration at which a run with these val/psnr values is stopped, or None."""
    stopper = IntelligentEarlyStopping(EarlyStoppingSpec(**spec), start)
    for i, value in enumerate(values, 1):
        if stopper.observe(i * every, {stopper.spec.monitor_metric: value}):
            return i * every
    return None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([30.0] * 9, 400),  # flat: the first counts as the reference, then 300 iterations
        ([30, 31, 30, 30, 30, 30], 500),  # 300 after the best
        ([30, 30.05, 30.1, 30.15, 30.2, 30.25, 30.3, 30.35, 30.4], None),  # small gains add up
        ([30, 30.01, 30.02, 30.03, 30.04, 30.05], 400),  # too slow: 0.1 dB is not reached in 300
        ([30, 29, 28, 31, 30, 30, 30.2, 31.2], 700),
        ([30, 29, 29, 30.1, 30, 30, 30.25, 30, 30, 30.4], None),
    ],
)
def test_early_stopping(values, expected):
    assert stops_at(values, patience=300, min_improvement=0.1) == expected


def test_a_gain_of_exactly_min_improvement_counts():
    assert stops_at([30, 30.5, 31, 31.5, 32], patience=100, min_improvement=0.5) is None


def saturating(count):
    """PSNR as a healthy run has it: fast at first, ever slower."""
    return [34 - 4 * math.exp(-i / 12) for i in range(count)]


UPSTREAM = {
    # `newest >= the best of the last ten - min_improvement` is true exactly where the newest is the best:
    # it stopped every healthy run at its tenth validation, 5.8k of 100k iterations with val_freq 200.
    "the newest is the best at the tenth": (saturating(29), 200, 5000, None),
    # Its patience of 2000 counted validations: a million iterations at val_freq 500.
    "a flat run, patience in iterations": ([33.0] * 80, 500, 2000, 2500),
    "a patience that is no multiple": ([33.0] * 80, 500, 1999, 2500),
    # Gains below min_improvement never counted for it, so a run of slow gains was flat.
    "slow gains that add up": ([33 + 0.0004 * i for i in range(200)], 500, 2000, None),
    "noise around a flat mean": ([33 + 0.0004 * (-1) ** i for i in range(80)], 500, 2000, 2500),
    "it has fallen ever since": ([33 - 0.01 * i for i in range(80)], 500, 2000, 2500),
}


@pytest.mark.parametrize("name", UPSTREAM)
def test_curves_on_which_the_upstream_one_fails(name):
    values, every, patience, expected = UPSTREAM[name]
    assert stops_at(values, every, patience=patience, min_improvement=0.001) == expected


def test_a_healthy_run_of_the_papers_length_ends_where_its_gain_is_over():
    """100,000 iterations, validated each 200: nothing to gain beyond about 25,000 at 0.001 dB a patience."""
    values = [34 - 4 * math.exp(-i * 200 / 3000) for i in range(1, 501)]
    stopped = stops_at(values, 200, patience=2000, min_improvement=0.001)
    gain = 4 * (math.exp(-(stopped - 2000) / 3000) - math.exp(-stopped / 3000))
    assert 20_000 < stopped < 40_000
    assert gain < 0.01


@given(
    patience=st.integers(1, 3000), every=st.integers(1, 500), start=st.integers(0, 1000),
    threshold=st.floats(1e-6, 1), extra=st.floats(0.01, 3), length=st.integers(1, 150),
)  # fmt: skip
def test_a_rising_run_is_never_stopped(patience, every, start, threshold, extra, length):
    """Where it gains min_improvement from each validation to the one a patience later, less one interval."""
    steps = max(1, (patience - 1) // every)
    rise = (1 + extra) * threshold / steps
    values = [30 + rise * i for i in range(length)]
    if every < patience:
        assert stops_at(values, every, start, patience=patience, min_improvement=threshold) is None


@given(
    patience=st.integers(1, 2000), every=st.integers(1, 500), start=st.integers(0, 1000),
    value=st.floats(-10, 100), threshold=st.floats(0, 1),
)  # fmt: skip
def test_a_constant_run_is_stopped_at_the_first_validation_with_the_patience_over(
    patience, every, start, value, threshold
):
    since = max(every, start)  # the first validation sets the reference; warm-up is not counted
    expected = -(-(since + patience) // every) * every
    count = expected // every + 2
    assert stops_at([value] * count, every, start, patience=patience, min_improvement=threshold) == expected


@given(
    patience=st.integers(1, 2000), every=st.integers(1, 500), noise=st.lists(st.floats(0, 0.0009), min_size=1)
)
def test_a_flat_run_is_always_stopped(patience, every, noise):
    count = patience // every + 3
    values = [30.0] + [30.0 + noise[i % len(noise)] for i in range(count)]
    assert stops_at(values, every, patience=patience, min_improvement=0.001) is not None


def test_nothing_is_counted_during_warm_up():
    assert stops_at([30.0] * 20, start=1000, patience=300) == 1300


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("val/ssim", [0.9, 0.9, 0.9, 0.9], 300),
        ("val/ssim", [0.9, 0.91, 0.92, 0.93], None),
        ("val/psnr_rgb", [30, 31, 32, 33], None),
        ("train/loss", [0.05, 0.04, 0.03, 0.02], None),  # less is better
        ("train/loss", [0.02, 0.03, 0.04, 0.05], 300),
        ("train/loss", [0.05, 0.0495, 0.0491, 0.05], 300),
    ],
)
def test_each_metric_has_its_direction(metric, values, expected):
    assert stops_at(values, patience=200, monitor_metric=metric, min_improvement=0.001) == expected


SSIM = [0.9527, 0.9529, 0.9543, 0.955, 0.955, 0.9559, 0.956, 0.9561, 0.9561]
"""On Set5 each 908 iterations, while PSNR rose from 36.29 to 37.03 dB: `compact plain`, seed 1, in
benchmarks/results/quality.json."""


def test_a_rising_ssim_is_no_plateau_by_its_own_measure():
    """By 0.001, a small gain in dB alone, it would be stopped 0.2 dB before it stops rising."""
    watched = {"every": 908, "patience": 1816, "monitor_metric": "val/ssim"}
    assert stops_at(SSIM, min_improvement=0.001 * ONE_DB["val/ssim"], **watched) is None
    assert stops_at(SSIM, min_improvement=0.001, **watched) == 4540


def test_another_metric_than_the_others_is_told():
    stopper = IntelligentEarlyStopping(EarlyStoppingSpec(patience=1, monitor_metric="val/ssim"))
    assert stopper.observe(100, {"val/psnr": 30, "val/ssim": 0.9}) is None
    action = stopper.observe(200, {"val/psnr": 40, "val/ssim": 0.9})
    assert "val/ssim has not gained 0.001" in action.reason


def test_it_acts_once():
    stopper = IntelligentEarlyStopping(EarlyStoppingSpec(patience=100), decays=True)
    acted = [stopper.observe(i, {"val/psnr": 30.0}) for i in range(100, 900, 100)]
    assert [a.did for a in acted if a] == ["started the decay of the learning rate"]
