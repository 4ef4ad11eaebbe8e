"""The moving average of the weights against its formula in float64."""

import numpy as np
import pytest
import torch
from torch import nn

from workers.trainer.optim.ema import Ema


@pytest.mark.parametrize(("decay", "iterations"), [(0.5, 30), (0.999, 300)])
def test_the_average_is_the_sum_of_its_formula(decay, iterations):
    """shadow <- d * shadow + (1 - d) * weights, d = min(decay, (1 + i) / (10 + i)), of all parameters."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 1)).double().to(memory_format=torch.channels_last)
    ema = Ema(net, decay)
    draw = np.random.default_rng(0)
    expected = {name: t.detach().numpy().copy() for name, t in net.named_parameters()}
    for iteration in range(1, iterations + 1):
        d = min(decay, (1 + iteration) / (10 + iteration))
        for name, p in net.named_parameters():
            weights = draw.normal(size=p.shape)
            p.data.copy_(torch.from_numpy(weights))
            expected[name] = d * expected[name] + (1 - d) * weights
        ema.update(iteration)
    for name, shadow in ema.net.named_parameters():
        assert shadow.numpy() == pytest.approx(expected[name], abs=1e-12)
        assert not shadow.requires_grad


def test_without_decay_the_average_is_the_network():
    net = nn.Linear(1, 1)
    ema = Ema(net, 0.0)
    ema.update(1)
    assert ema.net is net
    assert net.weight.requires_grad


def test_running_statistics_are_those_of_the_network():
    """Else a network with BatchNorm would be validated by the statistics that it began with."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    ema = Ema(net, 0.999)
    generator = torch.Generator().manual_seed(0)
    for iteration in range(1, 6):
        net(torch.rand(2, 3, 8, 8, generator=generator) + iteration)
        ema.update(iteration)
        ours, theirs = dict(ema.net.named_buffers()), dict(net.named_buffers())
        assert ours.keys() == theirs.keys() and len(ours) == 3
        for name, buffer in theirs.items():
            assert torch.equal(ours[name], buffer), name
            assert ours[name] is not buffer
    assert ours["1.num_batches_tracked"].item() == 5
    assert ours["1.running_mean"].abs().max() > 0.1


def test_statistics_that_were_loaded_are_followed_too():
    """As after a roll-back: the tensors stay the same ones."""
    net = nn.BatchNorm2d(2)
    ema = Ema(net, 0.9)
    net.load_state_dict({name: t + 3 for name, t in net.state_dict().items()})
    ema.update(1)
    assert ema.net.running_var.tolist() == [4.0, 4.0]
    assert ema.net.num_batches_tracked.item() == 3
