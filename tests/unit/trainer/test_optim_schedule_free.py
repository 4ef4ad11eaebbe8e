"""Schedule-free AdamW: the paper's three sequences, and what is validated and saved."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from srqueue.spec.optimizers import ScheduleFreeSpec
from workers.trainer.optim.optimizer import Optimizer

RATES = [0.01, 0.02, 0.03, 0.03, 0.015]
"""Warm-up, then one cut by an automation."""


def steps(parameter, optimizer, rates=RATES):
    """Steps down 1/2 |a * w - 1|^2."""
    slopes = torch.arange(1, parameter.numel() + 1, dtype=parameter.dtype)
    for rate in rates:
        parameter.grad = slopes * (slopes * parameter.detach() - 1)
        optimizer.step(rate)


def test_training_and_evaluation_see_the_papers_sequences():
    """Gradient at y; z is the base sequence; x averages it with weights (largest rate so far)^2."""
    parameter = nn.Parameter(torch.full((3,), 2.0, dtype=torch.float64))
    optimizer = Optimizer({"w": parameter}, ScheduleFreeSpec(betas=(0.9, 0.99)))
    steps(parameter, optimizer)

    slopes = np.arange(1, 4)
    z = x = np.full(3, 2.0)
    second, weights, largest = np.zeros(3), 0.0, 0.0
    for step, rate in enumerate(RATES, start=1):
        y = 0.1 * z + 0.9 * x
        gradient = slopes * (slopes * y - 1)
        second = 0.99 * second + 0.01 * gradient**2
        z = z - rate * gradient / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
        largest = max(largest, rate)
        weights += largest**2
        share = largest**2 / weights
        x = (1 - share) * x + share * z
    assert parameter.detach().numpy() == pytest.approx(0.1 * z + 0.9 * x, rel=1e-9)
    with optimizer.evaluating():
        assert parameter.detach().numpy() == pytest.approx(x, rel=1e-9)


def test_evaluating_leaves_no_trace():
    parameter = nn.Parameter(torch.linspace(-1, 1, 33))
    optimizer = Optimizer({"w": parameter}, ScheduleFreeSpec())
    steps(parameter, optimizer)
    before = parameter.detach().clone()
    with pytest.raises(KeyboardInterrupt), optimizer.evaluating():
        assert not torch.equal(parameter, before)
        raise KeyboardInterrupt
    assert torch.equal(parameter, before)
    steps(parameter, optimizer)  # the library refuses to step while evaluating


def test_the_whole_state_is_in_the_tensors():
    parameter = nn.Parameter(torch.ones(3))
    optimizer = Optimizer({"w": parameter}, ScheduleFreeSpec())
    steps(parameter, optimizer)
    state = optimizer.state_dict()
    assert set(state) == {
        "z/w", "exp_avg_sq/w", "group/0.k", "group/0.weight_sum", "group/0.lr_max", "group/0.scheduled_lr",
    }  # fmt: skip
    numbers = {what: state[f"group/0.{what}"].item() for what in ("k", "lr_max", "scheduled_lr")}
    assert numbers == {"k": 5, "lr_max": 0.03, "scheduled_lr": 0.015}
    other = Optimizer({"w": nn.Parameter(torch.ones(3))}, ScheduleFreeSpec())
    other.load_state_dict(state)
    fixed = {"params", "lr"}
    groups = [
        {k: v for k, v in o.parts[0].param_groups[0].items() if k not in fixed} for o in (optimizer, other)
    ]
    assert groups[0] == groups[1]
    assert type(groups[1]["k"]) is int


def test_the_state_is_not_given_away_beside_the_averages():
    optimizer = Optimizer({"w": nn.Parameter(torch.ones(3))}, ScheduleFreeSpec())
    with optimizer.evaluating(), pytest.raises(RuntimeError, match="evaluating"):
        optimizer.state_dict()


def test_without_momentum_there_is_no_average_to_go_to():
    with pytest.raises(ValidationError, match="greater than 0"):
        ScheduleFreeSpec(betas=(0.0, 0.99))
