"""Whole pictures through a network: tiles, rounding, clamping."""

import pytest
import torch
from torch import nn

from srqueue.spec.networks import CompactSpec
from workers.trainer.archs import build_network
from workers.trainer.inference import super_resolve, to_uint8


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
