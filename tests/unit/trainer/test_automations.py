"""The automations as tables: what they see, what they do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.spec.automations import AutomationsSpec, EarlyStoppingSpec, LearningRateAutomationSpec
from srqueue.spec.training import TrainSpec
from workers.trainer.automations import Automations
from workers.trainer.automations.learning_rate import IntelligentLearningRateScheduler


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


def train(**more):
    return TrainSpec(
        total_iter=10_000,
        training_automations=AutomationsSpec(
            enabled=True,
            IntelligentLearningRateScheduler=LearningRateAutomationSpec(plateau_patience=200),
            IntelligentEarlyStopping=EarlyStoppingSpec(patience=300),
        ),
        **more,
    )


def test_a_cut_restarts_the_stoppers_count():
    both = Automations(train(), ["l1"])
    history = [(i, [a.by for a in both.observe(i, {"val/psnr": 30.0})]) for i in range(100, 1800, 100)]
    acted = {i: by for i, by in history if by}
    rate, stop = ["IntelligentLearningRateScheduler"], ["IntelligentEarlyStopping"]
    assert acted == {300: rate, 500: rate, 700: rate, 900: rate, 1200: stop}
    assert both.stopped
    assert both.lr_factor == 0.1


@pytest.mark.parametrize(("schedule", "end"), [("constant", "stopped the run"), ("wsd", "started the decay")])
def test_every_action_says_who_what_and_why(schedule, end):
    both = Automations(train(scheduler={"type": schedule}), ["l1"])
    actions = [a for i in range(100, 1800, 100) for a in both.observe(i, {"val/psnr": 30.0})]
    assert actions[0].did == "lowered the learning rate from 1 to 0.5 of its schedule"
    assert actions[-1].did.startswith(end)
    assert all("val/psnr has not gained" in a.reason for a in actions)


@given(st.lists(st.floats(25, 35), min_size=2, max_size=40), st.data())
def test_a_restored_automation_acts_as_one_that_was_never_saved(values, data):
    saved_at = data.draw(st.integers(0, len(values) - 1))
    unbroken, before, after = (Automations(train(), ["l1"]) for _ in range(3))
    for i, value in enumerate(values):
        expected = unbroken.observe(i * 100, {"val/psnr": value})
        if i == saved_at:
            after.load_state_dict(json.loads(json.dumps(before.state_dict())))
        assert (before if i < saved_at else after).observe(i * 100, {"val/psnr": value}) == expected
    assert after.lr_factor == unbroken.lr_factor


def test_disabled_automations_do_nothing():
    none = Automations(TrainSpec(total_iter=10, training_automations=AutomationsSpec(enabled=False)), ["l1"])
    assert [none.observe(i, {"val/psnr": 30.0}) for i in range(9)] == [[]] * 9
    assert (none.lr_factor, none.stopped, none.loss_weights) == (1.0, False, [1.0])
    assert none.state_dict().keys() == {"guard"}
