"""Whole pictures through a network: tiles, rounding, clamping, self-ensemble."""

import pytest
import torch
from torch import nn

from srqueue.spec.networks import (
    CompactSpec,
    EdsrSpec,
    ParagonSR2RealtimeSpec,
    ParagonSR2StreamSpec,
    SpanSpec,
)
from workers.trainer.archs import build_network
from workers.trainer.inference import self_ensemble, super_resolve, to_uint8
from workers.trainer.reach import LEAST, MOST, reach_of


@pytest.mark.parametrize("tile", [16, 24, 33])
def test_tiles_give_what_the_whole_picture_gives(photo, tile):
    torch.manual_seed(0)
    net = build_network(CompactSpec(num_feat=8, num_conv=3), 2).eval()
    lr = torch.from_numpy(photo).permute(2, 0, 1)[:, :70, :61]
    whole, tiled = super_resolve(net, lr, 2), super_resolve(net, lr, 2, tile)
    assert whole.shape == (3, 140, 122)
    assert (whole.int() - tiled.int()).abs().max() <= 1  # rounding at a half


class Constant(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return torch.full((1, 3, x.shape[2] * 2, x.shape[3] * 2), self.value)


@pytest.mark.parametrize(
    ("value", "expected"), [(-1.0, 0), (2.0, 255), (0.5, 128), (1 / 255, 1), (float("nan"), 0)]
)
def test_outputs_are_clamped_and_rounded(value, expected):
    out = super_resolve(Constant(value), torch.zeros(3, 4, 4, dtype=torch.uint8), 2)
    assert out.unique().tolist() == [expected]


def test_every_value_of_eight_bits_survives():
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(levels.float() / 255), levels)


class Shifting(nn.Module):
    """Moves the picture down and to the right by a pixel a layer: what it needs is exactly `depth` away."""

    def __init__(self, depth):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(3, 3, 3, padding=1, groups=3, bias=False) for _ in range(depth))
        )
        for layer in self.body:
            nn.init.zeros_(layer.weight)
            layer.weight.data[:, :, 0, 0] = 1

    def forward(self, x):
        return nn.functional.interpolate(self.body(x), scale_factor=2, mode="nearest")


@pytest.mark.parametrize("depth", [17, 35])
def test_tiles_of_a_deep_network_share_enough(photo, depth):
    lr = torch.from_numpy(photo).permute(2, 0, 1)
    whole, tiled = (super_resolve(Shifting(depth), lr, 2, tile) for tile in (512, 32))
    assert torch.equal(whole, tiled)
    assert torch.equal(
        whole[:, 2 * depth :, 2 * depth :], super_resolve(Shifting(0), lr, 2)[:, : -2 * depth, : -2 * depth]
    )


def test_how_far_a_network_looks_is_read_off_its_convolutions():
    assert reach_of(Shifting(0)) == LEAST
    assert reach_of(build_network(CompactSpec(num_feat=1, num_conv=40), 2)) == 42
    assert reach_of(nn.Conv2d(1, 1, (1, 41))) == 20
    assert reach_of(nn.Conv2d(1, 1, 21, dilation=3)) == 30
    assert reach_of(nn.Sequential(nn.Conv2d(1, 1, 3, stride=4), nn.Conv2d(1, 1, 21))) == 44
    assert reach_of(Shifting(1000)) == MOST


@pytest.mark.parametrize(
    "spec",
    [
        CompactSpec(num_feat=4, num_conv=20),
        EdsrSpec(num_feat=4, num_block=16),
        SpanSpec(num_feat=4),
        ParagonSR2RealtimeSpec(),
        ParagonSR2StreamSpec(),
    ],
    ids=lambda spec: spec.type,
)
def test_no_network_looks_further_than_is_said(spec):
    """By the gradient of one output pixel; all weights are above 0, so that nothing cancels."""
    net = build_network(spec, 2).eval().double()
    for value in net.parameters():
        value.data.abs_().add_(0.01)
    side = 2 * MOST + 1
    x = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    net(x)[0, :, side, side].sum().backward()
    seen = x.grad.abs().sum((0, 1)).nonzero()
    furthest = int((seen - side // 2).abs().max())
    assert 2 <= furthest <= reach_of(net)


def test_a_network_may_say_itself_how_far_it_looks():
    net = Shifting(20)
    net.reach = 33
    assert reach_of(net) == 33


@pytest.fixture
def random_net():
    torch.manual_seed(1)
    net = build_network(CompactSpec(num_feat=6, num_conv=2), 2).eval().requires_grad_(False)
    nn.init.normal_(net.body[-1].weight, std=0.05)
    return net


def test_the_ensemble_of_a_symmetric_linear_network_is_the_network(photo):
    fresh = build_network(CompactSpec(num_feat=4, num_conv=1), 3).eval()  # exactly bicubic
    lr = torch.from_numpy(photo).permute(2, 0, 1)[:, :40, :31]
    plain, ensemble = super_resolve(fresh, lr, 3), super_resolve(fresh, lr, 3, ensemble=True)
    assert ensemble.shape == (3, 120, 93)
    assert (plain.int() - ensemble.int()).abs().max() <= 1  # rounding at a half


def test_the_ensemble_is_the_mean_over_the_eight_symmetries_of_a_square(random_net):
    """By turns and flips, which know nothing of our list."""
    x = torch.rand(2, 3, 9, 6)
    answers = []
    for turns in range(4):
        for flipped in (False, True):
            given = torch.rot90(x, turns, (2, 3))
            given = given.flip(3) if flipped else given
            y = random_net(given)
            y = y.flip(3) if flipped else y
            answers.append(torch.rot90(y, -turns, (2, 3)))
    assert (answers[0] - answers[1]).abs().max() > 0.01  # the network itself is not symmetric
    torch.testing.assert_close(self_ensemble(random_net, x), torch.stack(answers).mean(0))


@pytest.mark.parametrize(
    "turn",
    [lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: x.mT, lambda x: x.mT.flip(-1)],
    ids=["left-right", "up-down", "transposed", "rotated"],
)
def test_a_turned_picture_gives_the_turned_ensemble(random_net, photo, turn):
    lr = torch.from_numpy(photo).permute(2, 0, 1)[:, :24, :17]
    x = lr[None] / 255
    expected, turned = turn(self_ensemble(random_net, x)), self_ensemble(random_net, turn(x))
    torch.testing.assert_close(turned, expected)
    assert (turn(random_net(x)) - random_net(turn(x))).abs().max() > 0.01
    as_bytes = turn(super_resolve(random_net, lr, 2, ensemble=True)).int()
    assert (super_resolve(random_net, turn(lr), 2, ensemble=True).int() - as_bytes).abs().max() <= 1


def test_the_ensemble_is_averaged_before_rounding():
    """0.2 and 1.4 levels, four times each: the mean, 0.8, becomes 1; rounded first it would be 0.5, so 0."""

    class Uneven(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return torch.full((1, 3, x.shape[2], x.shape[3]), (0.2, 1.4)[self.calls % 2] / 255)

    net = Uneven()
    out = super_resolve(net, torch.zeros(3, 4, 4, dtype=torch.uint8), 1, ensemble=True)
    assert net.calls == 8
    assert out.unique().tolist() == [1]


def test_the_ensemble_works_in_tiles(random_net, photo):
    lr = torch.from_numpy(photo).permute(2, 0, 1)[:, :70, :61]
    whole, tiled = (super_resolve(random_net, lr, 2, tile, ensemble=True) for tile in (512, 24))
    assert (whole.int() - tiled.int()).abs().max() <= 1
