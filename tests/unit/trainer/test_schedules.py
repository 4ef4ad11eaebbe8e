"""The learning rate: tables by hand, torch's schedulers as references, and what must always hold."""

import math
from itertools import pairwise
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from srqueue.spec.optimizers import AdamWSpec
from srqueue.spec.schedules import ConstantSpec, CosineSpec, MultiStepSpec, SchedulerSpec, WsdSpec
from srqueue.spec.training import TrainSpec
from workers.trainer.optim.schedule import SCHEDULES, last_iteration, learning_rate


def spec(scheduler, total=100, warmup=10, lr=1e-3):
    return TrainSpec(
        total_iter=total, warmup_iter=warmup, optim_g=AdamWSpec(lr=lr), scheduler=scheduler,
        training_automations={"enabled": False},
    )  # fmt: skip


CONSTANT = spec(ConstantSpec())
COSINE = spec(CosineSpec(min_factor=0.1))
STEPS = spec(MultiStepSpec(milestones=(20, 50), gamma=0.1))
LINEAR = spec(WsdSpec(decay_share=0.2))
SQRT = spec(WsdSpec(decay_share=0.16, shape="sqrt", min_factor=0.2))


def test_the_table_has_every_schedule_of_the_specs():
    named = {get_args(s.model_fields["type"].annotation)[0] for s in get_args(get_args(SchedulerSpec)[0])}
    assert named == set(SCHEDULES)


@pytest.mark.parametrize(
    ("train", "iteration", "expected"),
    [
        (CONSTANT, 0, 1e-4), (CONSTANT, 4, 5e-4), (CONSTANT, 9, 1e-3), (CONSTANT, 10, 1e-3),
        (CONSTANT, 99, 1e-3),
        (COSINE, 9, 1e-3), (COSINE, 10, 1e-3), (COSINE, 99, 1e-4),
        (STEPS, 4, 5e-4), (STEPS, 19, 1e-3), (STEPS, 20, 1e-4), (STEPS, 49, 1e-4), (STEPS, 50, 1e-5),
        (STEPS, 99, 1e-5),
        # 20 steps down: the first has gone 1/20 of the way, the last all of it
        (LINEAR, 4, 5e-4), (LINEAR, 79, 1e-3), (LINEAR, 80, 9.5e-4), (LINEAR, 89, 5e-4), (LINEAR, 98, 5e-5),
        (LINEAR, 99, 0.0),
        # 16 steps down to 0.2 by 1 - sqrt(progress): progress 1/16, 4/16, 9/16, 1
        (SQRT, 83, 1e-3), (SQRT, 84, 8e-4), (SQRT, 87, 6e-4), (SQRT, 92, 4e-4), (SQRT, 99, 2e-4),
    ],
)  # fmt: skip
def test_by_hand(train, iteration, expected):
    assert learning_rate(train, iteration) == pytest.approx(expected, abs=1e-15)


def test_a_decay_begun_early_takes_as_many_steps_and_ends_the_run():
    assert last_iteration(LINEAR) == 100
    assert last_iteration(LINEAR, decay_from=40) == 60
    rates = [learning_rate(LINEAR, i, decay_from=40) for i in range(60)]
    usual = [learning_rate(LINEAR, i) for i in range(100)]
    assert rates[10:40] == usual[10:40]
    assert rates[40:] == usual[80:]


@pytest.mark.parametrize("asked", [80, 90, 99])
def test_a_decay_asked_for_after_it_has_begun_changes_nothing(asked):
    assert last_iteration(LINEAR, asked) == 100
    for iteration in range(100):
        assert learning_rate(LINEAR, iteration, decay_from=asked) == learning_rate(LINEAR, iteration)


@pytest.mark.parametrize("train", [CONSTANT, COSINE, STEPS], ids=lambda t: t.scheduler.type)
def test_only_wsd_can_be_made_to_decay(train):
    assert last_iteration(train, decay_from=40) == 100
    assert learning_rate(train, 50, decay_from=40) == learning_rate(train, 50)


def test_a_run_without_warm_up_begins_at_the_full_rate():
    assert learning_rate(TrainSpec(total_iter=1, optim_g=AdamWSpec(lr=0.5)), 0) == 0.5


def torchs(scheduler, lr, steps):
    """Rates of the steps under one of torch's schedulers."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    stepped = scheduler(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        stepped.step()
    return rates


def test_cosine_is_torchs_after_warm_up():
    theirs = torchs(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=89, eta_min=1e-4), 1e-3, 90)
    assert [learning_rate(COSINE, i) for i in range(10, 100)] == pytest.approx(theirs, rel=1e-9)


def test_multistep_is_torchs_after_warm_up():
    theirs = torchs(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [20, 50], 0.1), 1e-3, 100)
    assert [learning_rate(STEPS, i) for i in range(10, 100)] == pytest.approx(theirs[10:], rel=1e-9)


def test_the_linear_decay_is_torchs():
    theirs = torchs(lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.0, 20), 1e-3, 21)
    assert [learning_rate(LINEAR, i) for i in range(79, 100)] == pytest.approx(theirs, abs=1e-12)


FACTOR = st.floats(0, 1)
SCHEDULERS = st.one_of(
    st.just(ConstantSpec()),
    st.builds(CosineSpec, min_factor=FACTOR),
    st.builds(
        WsdSpec, decay_share=st.floats(0.01, 1), shape=st.sampled_from(["linear", "sqrt"]), min_factor=FACTOR
    ),
    st.builds(
        MultiStepSpec, milestones=st.sets(st.integers(1, 50), min_size=1).map(lambda s: tuple(sorted(s)))
    ),
)


@st.composite
def runs(draw):
    """(train, decay_from) of any schedule, with and without warm-up and an early decay."""
    scheduler = draw(SCHEDULERS)
    least = scheduler.milestones[-1] + 1 if isinstance(scheduler, MultiStepSpec) else 1
    total = draw(st.integers(least, 300))
    warmup = draw(st.integers(0, total - 1))
    return spec(scheduler, total, warmup), draw(st.none() | st.integers(warmup, total))


@given(runs(), FACTOR)
def test_the_rate_stays_between_zero_and_the_full_rate(run, factor):
    train, decay_from = run
    rates = [learning_rate(train, i, factor, decay_from) for i in range(train.total_iter)]
    assert all(0 <= rate <= 1e-3 * factor * (1 + 1e-12) for rate in rates)
    whole = [learning_rate(train, i, 1.0, decay_from) for i in range(train.total_iter)]
    assert rates == pytest.approx([factor * rate for rate in whole], abs=1e-18)


@given(runs())
def test_after_warm_up_the_rate_never_rises(run):
    train, decay_from = run
    rates = [learning_rate(train, i, 1.0, decay_from) for i in range(train.warmup_iter, train.total_iter)]
    assert all(after <= before * (1 + 1e-12) for before, after in pairwise(rates))


@given(runs())
def test_the_last_step_reaches_what_is_to_be_left(run):
    train, decay_from = run
    last = last_iteration(train, decay_from)
    assert 1 <= last <= train.total_iter
    rate = learning_rate(train, last - 1, 1.0, decay_from) / 1e-3
    if train.scheduler.type == "wsd" or (train.scheduler.type == "cosine" and last > train.warmup_iter + 1):
        assert rate == pytest.approx(train.scheduler.min_factor, abs=1e-12)


@given(st.floats(0.05, 1), FACTOR, st.integers(0, 1000), st.sampled_from(["linear", "sqrt"]))
def test_the_decay_begins_where_it_should_and_without_a_jump(share, least, decay_from, shape):
    """Its first step is 1 / D of the way down, and no step of the linear one goes further than that."""
    train = spec(WsdSpec(decay_share=share, min_factor=least, shape=shape), 1000, 0)
    steps = max(1, round(share * 1000))
    begin = min(decay_from, 1000 - steps)
    assert last_iteration(train, decay_from) == min(1000, decay_from + steps)
    rates = [learning_rate(train, i, 1.0, decay_from) / 1e-3 for i in range(begin + steps)]
    assert rates[:begin] == pytest.approx([1.0] * begin)
    fall = [a - b for a, b in pairwise([1.0, *rates[begin:]])]
    assert len(fall) == steps
    first = (1 - least) * (math.sqrt(1 / steps) if shape == "sqrt" else 1 / steps)
    assert fall == pytest.approx([first] * steps) if shape == "linear" else max(fall) <= first + 1e-9
