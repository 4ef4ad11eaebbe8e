"""The automations as tables: what they see, what they do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.spec.automations import AutomationsSpec, EarlyStoppingSpec, LearningRateAutomationSpec
from workers.trainer.automations import Automations
from workers.trainer.automations.early_stopping import IntelligentEarlyStopping
from workers.trainer.automations.learning_rate import IntelligentLearningRateScheduler


def stops_at(values, every=100, start=0, **spec):
    """Iteration at which a run with these val/psnr values is stopped, or None."""
    stopper = IntelligentEarlyStopping(EarlyStoppingSpec(**spec), start)
    for i, value in enumerate(values, 1):
        if stopper.observe(i * every, {"val/psnr": value}):
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


@given(
    patience=st.integers(100, 2000), every=st.integers(10, 100), start=st.integers(0, 1000),
    slope=st.floats(1.1, 50),
)  # fmt: skip
def test_a_steadily_rising_run_is_never_stopped(patience, every, start, slope):
    """Rising by more than min_improvement in a patience, however the validations fall."""
    rise = slope * 0.01 / (patience - every) if patience > every else slope * 0.01 / patience
    values = [30 + rise * every * i for i in range(200)]
    assert stops_at(values, every, start, patience=patience, min_improvement=0.01) is None


@given(
    patience=st.integers(1, 2000), every=st.integers(1, 500), noise=st.lists(st.floats(0, 0.0009), min_size=1)
)
def test_a_flat_run_is_always_stopped(patience, every, noise):
    count = patience // every + 3
    values = [30.0] + [30.0 + noise[i % len(noise)] for i in range(count)]
    assert stops_at(values, every, patience=patience, min_improvement=0.001) is not None


def test_a_flat_run_is_stopped_also_without_a_least_improvement():
    assert stops_at([30.0] * 9, patience=300, min_improvement=0.0) == 400


def test_nothing_is_counted_during_warm_up():
    assert stops_at([30.0] * 20, start=1000, patience=300) == 1300


def test_another_metric_can_be_watched():
    stopper = IntelligentEarlyStopping(EarlyStoppingSpec(patience=1, monitor_metric="val/ssim"))
    assert stopper.observe(100, {"val/psnr": 30, "val/ssim": 0.9}) is None
    action = stopper.observe(200, {"val/psnr": 40, "val/ssim": 0.9})
    assert "val/ssim has not gained 0.001" in action.reason


def cuts(values, every=100, start=0, **spec):
    """(iteration, factor) of each cut."""
    scheduler = IntelligentLearningRateScheduler(LearningRateAutomationSpec(**spec), start)
    found = []
    for i, value in enumerate(values, 1):
        if scheduler.observe(i * every, {"val/psnr": value}):
            found.append((i * every, scheduler.factor))
    return found


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([30, 31, 32, 33, 34, 35, 36], []),
        ([30.0] * 5, [(300, 0.5), (500, 0.25)]),  # the cooldown is the patience again
        ([30.0] * 12, [(300, 0.5), (500, 0.25), (700, 0.125), (900, 0.1)]),  # and the floor holds
        ([30, 30, 31, 31, 31, 31], [(500, 0.5)]),
    ],
)
def test_rate_cuts(values, expected):
    assert cuts(values, plateau_patience=200, min_lr_factor=0.1) == expected


@given(st.lists(st.floats(20, 40), max_size=80), st.floats(0.01, 1))
def test_the_cuts_never_go_below_the_floor(values, floor):
    assert all(factor >= floor for _, factor in cuts(values, plateau_patience=100, min_lr_factor=floor))


def spec(**more):
    return AutomationsSpec(
        enabled=True,
        IntelligentLearningRateScheduler=LearningRateAutomationSpec(plateau_patience=200, **more),
        IntelligentEarlyStopping=EarlyStoppingSpec(patience=300),
    )


def test_a_cut_restarts_the_stoppers_count():
    both = Automations(spec())
    history = [(i, [a.by for a in both.observe(i, {"val/psnr": 30.0})]) for i in range(100, 1800, 100)]
    acted = {i: by for i, by in history if by}
    rate, stop = ["IntelligentLearningRateScheduler"], ["IntelligentEarlyStopping"]
    assert acted == {300: rate, 500: rate, 700: rate, 900: rate, 1200: stop}
    assert both.stopped
    assert both.lr_factor == 0.1


def test_every_action_says_who_what_and_why():
    both = Automations(spec())
    actions = [a for i in range(100, 1800, 100) for a in both.observe(i, {"val/psnr": 30.0})]
    assert actions[0].did == "lowered the learning rate from 1 to 0.5 of its schedule"
    assert actions[-1].did == "stopped the run"
    assert all("val/psnr has not gained" in a.reason for a in actions)


@given(st.lists(st.floats(25, 35), min_size=2, max_size=40), st.data())
def test_a_restored_automation_acts_as_one_that_was_never_saved(values, data):
    saved_at = data.draw(st.integers(0, len(values) - 1))
    unbroken, before, after = Automations(spec()), Automations(spec()), Automations(spec())
    for i, value in enumerate(values):
        expected = unbroken.observe(i * 100, {"val/psnr": value})
        if i == saved_at:
            after.load_state_dict(json.loads(json.dumps(before.state_dict())))
        assert (before if i < saved_at else after).observe(i * 100, {"val/psnr": value}) == expected
    assert after.lr_factor == unbroken.lr_factor


def test_disabled_automations_do_nothing():
    none = Automations(AutomationsSpec(enabled=False))
    assert [none.observe(i, {"val/psnr": 30.0}) for i in range(9)] == [[]] * 9
    assert (none.lr_factor, none.stopped, none.state_dict()) == (1.0, False, {})
