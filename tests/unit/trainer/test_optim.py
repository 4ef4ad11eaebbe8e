"""What holds for every optimizer, and the steps of AdamW and Adam against their papers in float64."""

from typing import get_args

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from srqueue.spec.optimizers import AdamSpec, AdamWSpec, MuonSpec, OptimizerSpec, ScheduleFreeSpec, SoapSpec
from workers.trainer.optim.optimizer import OPTIMIZERS, Optimizer

ALL = (
    AdamWSpec(weight_decay=0.1), AdamSpec(weight_decay=0.1), MuonSpec(weight_decay=0.1),
    SoapSpec(weight_decay=0.1, refresh=3), ScheduleFreeSpec(weight_decay=0.1),
)  # fmt: skip
every_optimizer = pytest.mark.parametrize("spec", ALL, ids=lambda s: s.type)


class Network(nn.Module):
    """Two inner convolutions, one odd parameter of one element and one without dimensions."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3), nn.Conv2d(6, 4, 3), nn.Conv2d(4, 6, 1), nn.Conv2d(6, 3, 3)
        )
        self.gain = nn.Parameter(torch.ones(1))
        self.offset = nn.Parameter(torch.tensor(0.1))
        self.to(memory_format=torch.channels_last)

    def loss(self, iteration):
        draw = torch.Generator().manual_seed(iteration)
        x = torch.rand(2, 3, 10, 10, generator=draw).contiguous(memory_format=torch.channels_last)
        return (self.gain * self.body(x) + self.offset - 0.5).square().mean()


def begun(spec):
    net = Network()
    return net, Optimizer(dict(net.named_parameters()), spec)


def train(net, optimizer, first, last):
    """With a rate that moves, as warm-up and schedule make it."""
    for iteration in range(first, last):
        net.loss(iteration).backward()
        optimizer.step(1e-2 * (1 + iteration % 3))


def written_and_read(tensors):
    """The way through a checkpoint: no dimensions become one; what is read is contiguous."""
    flat = {k: t.reshape(-1) if t.dim() == 0 else t for k, t in tensors.items()}
    return safetensors.torch.load(safetensors.torch.save({k: t.contiguous() for k, t in flat.items()}))


def assert_same_bits(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_table_has_every_optimizer_of_the_specs():
    union = get_args(get_args(OptimizerSpec)[0])
    assert {spec().type for spec in union} == set(OPTIMIZERS) == {spec.type for spec in ALL}


@every_optimizer
@settings(max_examples=5, deadline=None)
@given(until=st.integers(0, 10), validated=st.booleans())
def test_a_run_goes_on_bit_for_bit_from_its_state(spec, until, validated):
    """A validation before or after the interruption changes nothing either."""
    straight, optimizer = begun(spec)
    train(straight, optimizer, 0, 10)

    first, before = begun(spec)
    train(first, before, 0, until)
    if validated:
        with before.evaluating():
            first.loss(0)
    saved = written_and_read(first.state_dict()), written_and_read(before.state_dict())

    second, after = begun(spec)
    second.load_state_dict(saved[0])
    after.load_state_dict(saved[1])
    if validated:
        with after.evaluating():
            second.loss(0)
    train(second, after, until, 10)
    assert_same_bits(second.state_dict(), straight.state_dict())
    assert_same_bits(after.state_dict(), optimizer.state_dict())


@every_optimizer
def test_the_state_matters(spec):
    """Or the test above would prove nothing."""
    straight, optimizer = begun(spec)
    train(straight, optimizer, 0, 10)
    first, before = begun(spec)
    train(first, before, 0, 5)
    second, after = begun(spec)
    second.load_state_dict(first.state_dict())
    train(second, after, 5, 10)
    assert not torch.equal(second.body[1].weight, straight.body[1].weight)


@every_optimizer
def test_the_state_is_empty_before_the_first_step(spec):
    _, optimizer = begun(spec)
    with optimizer.evaluating():
        pass
    assert optimizer.state_dict() == {}
    optimizer.load_state_dict({})


@every_optimizer
@pytest.mark.parametrize("at", [0, 4])
def test_a_roll_back_leaves_nothing_of_what_came_after(spec, at):
    straight, optimizer = begun(spec)
    train(straight, optimizer, 0, 10)
    net, rolled = begun(spec)
    train(net, rolled, 0, at)
    kept = [{name: t.clone() for name, t in o.state_dict().items()} for o in (net, rolled)]
    train(net, rolled, 20, 27)
    net.load_state_dict(kept[0])
    rolled.load_state_dict(kept[1])
    train(net, rolled, at, 10)
    assert_same_bits(net.state_dict(), straight.state_dict())
    assert_same_bits(rolled.state_dict(), optimizer.state_dict())


@every_optimizer
def test_the_loss_falls_and_the_gradients_are_freed(spec):
    net, optimizer = begun(spec)
    before = net.loss(0).item()
    for iteration in range(60):
        net.loss(iteration).backward()
        optimizer.step(3e-3)
    with optimizer.evaluating():
        assert net.loss(0).item() < before / 2
    assert all(p.grad is None for p in net.parameters())


@every_optimizer
def test_a_rate_of_zero_moves_nothing(spec):
    net, optimizer = begun(spec)
    before = {name: t.clone() for name, t in net.state_dict().items()}
    net.loss(0).backward()
    optimizer.step(0.0)
    assert_same_bits(net.state_dict(), before)


@every_optimizer
def test_scaled_gradients_do_the_same_steps(spec):
    plain, scaled = begun(spec), begun(spec)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for iteration in range(4):
        plain[0].loss(iteration).backward()
        plain[1].step(1e-2)
        scaler.scale(scaled[0].loss(iteration)).backward()
        if iteration % 2:  # clipping wants them unscaled first
            scaled[1].unscale(scaler)
        scaled[1].step(1e-2, scaler)
        scaler.update()
    for name, weight in plain[0].state_dict().items():
        assert torch.allclose(scaled[0].state_dict()[name], weight, rtol=1e-5, atol=1e-7), name


@every_optimizer
def test_a_step_with_infinite_gradients_is_left_out(spec):
    net, optimizer = begun(spec)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale(net.loss(0)).backward()
    optimizer.step(1e-2, scaler)
    scaler.update()
    before = {name: t.clone() for name, t in (net.state_dict() | optimizer.state_dict()).items()}
    scaler.scale(net.loss(1) * float("inf")).backward()
    optimizer.step(1e-2, scaler)
    scaler.update()
    assert_same_bits(net.state_dict() | optimizer.state_dict(), before)
    assert scaler.get_scale() == 512.0


@pytest.mark.parametrize(
    "spec", [AdamWSpec(weight_decay=0.5), AdamSpec(weight_decay=0.5)], ids=lambda s: s.type
)
def test_the_steps_are_those_of_the_papers(spec):
    """Decay of the weight itself in AdamW, of the gradient in Adam; bias-corrected moments; eps 1e-8."""
    weight = np.array([1.0, -2.0, 0.5])
    parameter = nn.Parameter(torch.from_numpy(weight.copy()))
    optimizer = Optimizer({"w": parameter}, spec)
    draw = np.random.default_rng(0)
    first, second = np.zeros(3), np.zeros(3)
    for step, rate in enumerate([0.1, 0.2, 0.05, 0.1], start=1):
        gradient = draw.normal(size=3)
        parameter.grad = torch.from_numpy(gradient.copy())
        optimizer.step(rate)
        if spec.type == "Adam":
            gradient = gradient + 0.5 * weight
        else:
            weight = weight * (1 - rate * 0.5)
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        weight = weight - rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
        assert parameter.detach().numpy() == pytest.approx(weight, rel=1e-9)
