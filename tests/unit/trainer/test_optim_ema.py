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
