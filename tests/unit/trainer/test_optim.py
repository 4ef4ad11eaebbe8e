"""Learning rate, AdamW and the moving average."""

from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from srqueue.spec.optimizers import AdamWSpec
from srqueue.spec.schedules import CosineSpec, SchedulerSpec
from srqueue.spec.training import TrainSpec
from workers.trainer.optim.ema import Ema
from workers.trainer.optim.optimizer import Optimizer
from workers.trainer.optim.schedule import SCHEDULES, learning_rate

COSINE = TrainSpec(
    total_iter=100, warmup_iter=10, optim_g=AdamWSpec(lr=1e-3), scheduler=CosineSpec(min_factor=0.1)
)
CONSTANT = TrainSpec(total_iter=100, warmup_iter=10, optim_g=AdamWSpec(lr=1e-3))


def test_the_table_has_every_schedule_of_the_specs():
    assert {spec().type for spec in get_args(get_args(SchedulerSpec)[0])} == set(SCHEDULES)


@pytest.mark.parametrize(
    ("spec", "iteration", "expected"),
    [
        (CONSTANT, 0, 1e-4), (CONSTANT, 4, 5e-4), (CONSTANT, 9, 1e-3), (CONSTANT, 10, 1e-3),
        (CONSTANT, 99, 1e-3),
        (COSINE, 9, 1e-3), (COSINE, 10, 1e-3), (COSINE, 99, 1e-4),
    ],
)  # fmt: skip
def test_warm_up_then_schedule_to_the_last_step(spec, iteration, expected):
    assert learning_rate(spec, iteration) == pytest.approx(expected)


@given(st.integers(0, 98))
def test_the_cosine_never_rises_after_warm_up(iteration):
    if iteration >= 10:
        assert learning_rate(COSINE, iteration + 1) <= learning_rate(COSINE, iteration)
    assert learning_rate(COSINE, iteration, 0.25) == pytest.approx(learning_rate(COSINE, iteration) / 4)


def test_a_run_without_warm_up_begins_at_the_full_rate():
    assert learning_rate(TrainSpec(total_iter=1, optim_g=AdamWSpec(lr=0.5)), 0) == 0.5


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 3)).to(memory_format=torch.channels_last)


def gradients(net, iteration):
    torch.manual_seed(iteration)
    x = torch.rand(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    net(x).square().mean().backward()


def test_adamw_does_the_step_of_its_paper():
    """One step from zero moments moves each weight by lr * sign(gradient), after the decay."""
    weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = Optimizer({"w": weight}, AdamWSpec(lr=0.1, weight_decay=0.5))
    weight.grad = torch.tensor([3.0, -0.01])
    optimizer.step(0.1)
    expected = torch.tensor([1.0, -2.0]) * (1 - 0.1 * 0.5) - 0.1 * torch.tensor([1.0, -1.0])
    assert torch.allclose(weight.detach(), expected, atol=1e-5)
    assert weight.grad is None


def test_adamw_goes_on_bit_for_bit_from_its_state():
    net = network()
    optimizer = Optimizer(dict(net.named_parameters()), AdamWSpec())
    for i in range(5):
        gradients(net, i)
        optimizer.step(1e-2)
    other = network()
    other.load_state_dict(net.state_dict())
    resumed = Optimizer(dict(other.named_parameters()), AdamWSpec())
    resumed.load_state_dict({k: v.clone().contiguous() for k, v in optimizer.state_dict().items()})
    for i in range(5, 9):
        for n, o in ((net, optimizer), (other, resumed)):
            gradients(n, i)
            o.step(1e-2)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))


def test_the_state_is_empty_before_the_first_step():
    optimizer = Optimizer(dict(network().named_parameters()), AdamWSpec())
    assert optimizer.state_dict() == {}
    optimizer.load_state_dict({})


def test_the_average_follows_with_a_decay_that_grows():
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    ema = Ema(net, 0.5)
    nn.init.ones_(net.weight)
    ema.update(1)  # decay (1 + 1) / (10 + 1)
    assert ema.net.weight.item() == pytest.approx(1 - 2 / 11)
    ema.update(1000)  # decay 0.5
    assert ema.net.weight.item() == pytest.approx(1 - 1 / 11)
    assert not ema.net.weight.requires_grad


def test_without_decay_the_average_is_the_network():
    net = nn.Linear(1, 1)
    ema = Ema(net, 0.0)
    ema.update(1)
    assert ema.net is net
    assert net.weight.requires_grad
