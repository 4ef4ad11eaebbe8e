"""DynamicLossScheduling as tables: gradient norms in, weights and actions out."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.spec.automations import DynamicLossSpec
from workers.trainer.automations.dynamic_loss import DynamicLossScheduling


def scheduling(given_weights=(1.0, 0.05), **spec):
    names = [f"loss{i}" for i in range(len(given_weights))]
    return DynamicLossScheduling(DynamicLossSpec(enabled=True, **spec), names, given_weights)


@pytest.mark.parametrize(
    ("norms", "expected"),
    [
        ((2.0, 2.0), 0.05),  # shares are as the weights already
        ((2.0, 1.0), 0.1),  # half as much: twice the weight
        ((2.0, 8.0), 0.0125),
        ((2.0, 1e-9), 0.5),  # bounded by max_change
        ((2.0, 1e9), 0.005),
    ],
)
def test_calibrated_weights_give_the_shares_that_were_asked_for(norms, expected):
    dynamic = scheduling(momentum=0.0)
    dynamic.observe(norms)
    assert dynamic.weights == [1.0, pytest.approx(expected)]


def test_without_calibration_the_first_shares_are_kept():
    dynamic = scheduling(momentum=0.0, auto_calibrate=False)
    assert dynamic.observe((2.0, 8.0)) is None
    assert dynamic.weights == [1.0, pytest.approx(0.05)]
    dynamic.observe((1.0, 2.0))  # the share of the second was 4 to 1, and is 2 to 1 now
    assert dynamic.weights == [1.0, pytest.approx(0.1)]


def test_a_weight_moves_slowly_on_its_logarithm():
    dynamic = scheduling(momentum=0.9)
    ratios = []
    for _ in range(3):
        before = dynamic.weights[1]
        dynamic.observe((2.0, 1.0))
        ratios.append(math.log(dynamic.weights[1] / before) / math.log(0.1 / before))
    assert ratios == pytest.approx([0.1] * 3)


def test_what_is_told():
    dynamic = scheduling((1.0, 0.05, 0.2), momentum=0.9)
    told = dynamic.observe((2.0, 1.0, 2.0))
    assert told.did == "moved the loss weights: loss1 0.05 -> 0.0536"
    assert told.reason == "loss1 gives 0.025 of the gradient of loss0, 0.05 is wanted"
    quiet = scheduling(momentum=0.99)
    acted = [quiet.observe((2.0, 1.0)) is not None for _ in range(60)]
    assert acted[0] is False  # 0.7 %
    assert sum(acted) == 6  # each about 5 %, up to 0.0726


@pytest.mark.parametrize("norms", [(math.nan, 1.0), (1.0, math.inf), (0.0, 1.0), (1.0, 0.0), (1.0, math.nan)])
def test_what_cannot_be_measured_changes_nothing(norms):
    dynamic = scheduling(momentum=0.0)
    assert dynamic.observe(norms) is None
    assert dynamic.weights == [1.0, 0.05]


def test_a_single_loss_stays():
    dynamic = scheduling((3.0,))
    assert dynamic.observe((7.0,)) is None
    assert dynamic.weights == [3.0]


NORMS = st.tuples(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))


@given(st.lists(NORMS, min_size=1, max_size=30), st.floats(0, 0.99), st.floats(1, 100), st.booleans())
def test_the_first_is_fixed_and_the_others_are_bounded(rows, momentum, most, calibrate):
    dynamic = scheduling((1.0, 0.05, 2.0), momentum=momentum, max_change=most, auto_calibrate=calibrate)
    for norms in rows:
        dynamic.observe(norms)
        assert dynamic.weights[0] == 1.0
        for weight, given_weight in zip(dynamic.weights, (1.0, 0.05, 2.0), strict=True):
            assert given_weight / most * (1 - 1e-9) <= weight <= given_weight * most * (1 + 1e-9)


@given(st.lists(NORMS, min_size=2, max_size=20), st.data())
def test_one_from_its_json_goes_on_the_same(rows, data):
    saved_at = data.draw(st.integers(0, len(rows) - 1))
    unbroken, dynamic = (scheduling((1.0, 0.05, 2.0), auto_calibrate=False) for _ in range(2))
    for i, norms in enumerate(rows):
        if i == saved_at:
            state = json.loads(json.dumps(dynamic.state_dict()))
            dynamic = scheduling((1.0, 0.05, 2.0), auto_calibrate=False)
            dynamic.load_state_dict(state)
        assert unbroken.observe(norms) == dynamic.observe(norms)
        assert unbroken.weights == dynamic.weights
