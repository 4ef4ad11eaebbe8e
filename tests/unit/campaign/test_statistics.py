"""Intervals and tests against scipy, and against themselves worked out another way."""

import itertools
import random
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from srqueue.campaign.verdict import sign_flips
from srqueue.campaign.verdict.paired import holm
from srqueue.campaign.verdict.pareto import front
from srqueue.campaign.verdict.student import above, below, interval, quantile


@pytest.mark.parametrize("freedom", [1, 2, 3, 5, 13, 99, 1000])
def test_students_t_is_scipys(freedom):
    for p in (0.5, 0.75, 0.9, 0.975, 0.995, 0.9995):
        assert quantile(p, freedom) == pytest.approx(stats.t.ppf(p, freedom), rel=1e-9, abs=1e-9)
    for t in (0.0, 0.3, 1.0, 2.5, 12.0, 80.0):
        assert below(t, freedom) == pytest.approx(stats.t.cdf(t, freedom), rel=1e-12)


@pytest.mark.parametrize(("freedom", "freedom_below"), [(1, 1), (2, 7), (4, 30)])
def test_f_is_scipys(freedom, freedom_below):
    for ratio in (0.0, 0.3, 5.0, 400.0, 1e6):
        assert above(ratio, freedom, freedom_below) == pytest.approx(
            stats.f.sf(ratio, freedom, freedom_below), rel=1e-9
        )


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=30).filter(lambda v: np.ptp(v) > 1e-6))
def test_the_interval_of_a_mean_is_scipys(values):
    found = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert interval(values) == pytest.approx((found.low, found.high), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("number", [1, 2, 5, 10, 14])
def test_with_few_pictures_all_signs_are_tried(number):
    drawn = random.Random(number)
    for shift in (0.0, 0.05, 1.0):
        values = [drawn.gauss(shift, 0.1) for _ in range(number)]
        signs = itertools.product((1, -1), repeat=number)
        sums = [abs(sum(s * v for s, v in zip(row, values, strict=True))) for row in signs]
        derived = sum(total >= abs(sum(values)) - 1e-12 for total in sums) / len(sums)
        assert sign_flips.p_value(values) == derived
        if number >= 5:
            scipys = stats.permutation_test(
                (values,), statistics.fmean, permutation_type="samples", n_resamples=np.inf
            )
            assert sign_flips.p_value(values) == pytest.approx(scipys.pvalue)


def test_with_many_pictures_draws_come_near_to_all_signs(monkeypatch):
    drawn = random.Random(7)
    values = [drawn.gauss(0.02, 0.05) for _ in range(16)]
    some = sign_flips.p_value(values)
    monkeypatch.setattr(sign_flips, "MOST_EXACT", 16)
    exact = sign_flips.p_value(values)
    assert 0.01 < exact < 0.5
    assert some == pytest.approx(exact, abs=4 * (exact * (1 - exact) / sign_flips.DRAWS) ** 0.5)


def test_the_same_pictures_give_the_same_p_and_it_is_never_0():
    values = [0.1 + i / 1000 for i in range(100)]
    assert sign_flips.p_value(values, "a") == sign_flips.p_value(values, "a") == 1 / 5_000
    noise = [(-1) ** i * (1 + i / 7) for i in range(101)]
    assert len({sign_flips.p_value(noise, seed) for seed in "abcdef"}) > 1, "other pairs draw other signs"


def test_equal_trainings_are_found_different_as_seldom_as_is_said():
    """200 draws without any difference: p is below 0.05 in about one of twenty."""
    drawn = random.Random(3)
    for number in (8, 12):
        found = [sign_flips.p_value([drawn.gauss(0, 1) for _ in range(number)]) for _ in range(600)]
        share = sum(p <= 0.05 for p in found) / len(found)
        assert share == pytest.approx(0.05, abs=0.027)  # three standard errors


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_what_holm_said(values):
    """Step down: the smallest p against a / m, the next against a / (m - 1), up to the first that fails."""
    for limit in (0.01, 0.05, 0.3):
        order, rejected = sorted(range(len(values)), key=lambda i: values[i]), set()
        for rank, place in enumerate(order):
            if values[place] * (len(values) - rank) >= limit:
                break
            rejected.add(place)
        assert {i for i, p in enumerate(holm(values)) if p < limit} == rejected
    assert all(adjusted >= p for adjusted, p in zip(holm(values), values, strict=True))


pairs = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=30)


@given(pairs)
def test_the_front_is_what_nothing_dominates(points):
    def dominates(one, other):
        return one != other and one[0] <= other[0] and one[1] >= other[1]

    expected = {i for i, p in enumerate(points) if not any(dominates(q, p) for q in points)}
    assert front(points) == expected
