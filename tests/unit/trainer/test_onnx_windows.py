"""Window attention in ONNX against the one that is trained, at every size."""

from functools import cache

import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from srqueue.spec.networks import CompactSpec, ParagonSR2NanoSpec
from workers.trainer.archs import build_network
from workers.trainer.archs.scalar_attention import LARGEST
from workers.trainer.archs.window_attention import WindowAttention
from workers.trainer.model_file import Model
from workers.trainer.onnx_file import to_onnx
from workers.trainer.onnx_windows import exportable

CASES = {"scalars, by the series": (8, 1), "scalars, exactly": (8, 60), "vectors": (24, 10)}


@cache
def both(case):
    """A network that is hardly more than its attention, and its ONNX form."""
    channels, gain = CASES[case]
    torch.manual_seed(3)
    attention = WindowAttention(channels)
    net = nn.Sequential(nn.Conv2d(3, channels, 1), attention, nn.Conv2d(channels, 3, 1))
    net.eval().requires_grad_(False)
    attention.gamma.fill_(1)
    attention.query.weight.mul_(gain)
    attention.key.weight.mul_(gain)
    file = to_onnx(Model(net, 1, CompactSpec(), "", {}))
    return net, onnxruntime.InferenceSession(file.data, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=30)
@given(height=st.integers(1, 130), width=st.integers(1, 130), pictures=st.integers(1, 2))
def test_onnx_computes_the_same_at_every_size(case, height, width, pictures):
    net, session = both(case)
    x = torch.linspace(0, 77, pictures * 3 * height * width).sin().abs().reshape(pictures, 3, height, width)
    (found,) = session.run(None, {"lr": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), net(x), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("case", "beyond"), [("scalars, by the series", False), ("scalars, exactly", True)])
def test_both_ways_of_scalar_attention_are_taken(case, beyond):
    net, _ = both(case)
    x = net[0](torch.linspace(0, 77, 3 * 40 * 50).sin().abs().reshape(1, 3, 40, 50))
    q, k = net[1].query(x) / 32, net[1].key(x)
    assert bool(q.abs().max() * (k - k.mean()).abs().max() > LARGEST) == beyond


def test_the_network_itself_is_left_as_it_was():
    net = build_network(ParagonSR2NanoSpec(), 2).eval()
    before = {name: vars(module).copy() for name, module in net.named_modules()}
    copied = exportable(net)
    assert {name: vars(module) for name, module in net.named_modules()} == before
    assert {id(p) for p in copied.parameters()} == {id(p) for p in net.parameters()}
