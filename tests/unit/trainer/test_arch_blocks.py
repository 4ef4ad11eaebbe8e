"""Attention, norm and modulation against their definitions, and what they keep for the backward pass."""

import pytest
import torch
from torch import nn

from workers.trainer.archs.paragonsr2_blocks import ChannelModulation, InceptionDepthwise, RmsNorm
from workers.trainer.archs.token_attention import attend
from workers.trainer.archs.window_attention import WindowAttention
from workers.trainer.archs.windows import window_starts


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_attention_is_its_definition_and_so_are_its_gradients():
    given = [drawn(5, 3, 49, seed=1), drawn(5, 3, 49, seed=2), drawn(5, 7, 49, seed=3)]
    outcomes = []
    for kind in (torch.float32, torch.float64):
        q, k, v = (t.detach().to(kind).requires_grad_() for t in given)
        if kind is torch.float32:
            out = attend(q, k, v)
        else:
            out = torch.einsum("mij,mcj->mci", torch.softmax(torch.einsum("mri,mrj->mij", q, k), 2), v)
        out.square().sum().backward()
        outcomes.append([out.detach(), q.grad, k.grad, v.grad])
    for ours, exact in zip(*outcomes, strict=True):
        assert torch.allclose(ours.double(), exact, rtol=1e-4, atol=2e-5)


def test_windows_in_several_parts_attend_as_each_alone(monkeypatch):
    q, k, v = drawn(7, 2, 16, seed=1), drawn(7, 2, 16, seed=2), drawn(7, 4, 16, seed=3)
    alone = torch.cat([attend(q[i : i + 1], k[i : i + 1], v[i : i + 1]) for i in range(7)])
    monkeypatch.setattr("workers.trainer.archs.token_attention._NUMBERS_AT_ONCE", 3 * 16**2)
    assert torch.allclose(attend(q, k, v), alone, atol=1e-6)


def test_attention_keeps_no_matrix_of_pairs_for_the_backward_pass():
    q, k, v = (drawn(4, 2, 256, seed=i).requires_grad_() for i in range(3))
    kept = []

    def note(tensor):
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        out = attend(q, k, v)
    out.sum().backward()
    assert q.grad is not None and max(kept, default=0) < 256**2


def test_the_attention_of_a_picture_is_that_of_its_windows():
    """One window: the plain formula, over the root of the number of tokens; then gamma of it is added."""
    torch.manual_seed(0)
    layer = WindowAttention(24)
    with torch.no_grad():
        layer.gamma.fill_(0.7)
        for part in (layer.query, layer.key):
            part.weight.mul_(20)
    x = drawn(2, 24, 9, 13)
    exact = {n: p.detach().double() for n, p in layer.named_parameters()}

    def projected(name):
        weight, bias = exact[f"{name}.weight"][:, :, 0, 0], exact[f"{name}.bias"]
        return torch.einsum("oc,nct->not", weight, x.double().flatten(2)) + bias[:, None]

    pairs = torch.softmax(torch.einsum("nri,nrj->nij", projected("query"), projected("key")) / 117**0.5, 2)
    attended = torch.einsum("nij,ncj->nci", pairs, projected("value")).reshape(x.shape)
    assert layer.query.out_channels == 3
    assert torch.allclose(layer(x).double(), x.double() + 0.7 * attended, atol=1e-5)


def test_attention_starts_switched_off():
    torch.manual_seed(0)
    x = drawn(1, 16, 40, 33)
    assert torch.equal(WindowAttention(16)(x), x)


def test_every_pixel_of_a_large_picture_is_in_a_window():
    assert window_starts(360, 32, 24)[-1] == 328
    assert all(
        b - a <= 24 for a, b in zip(window_starts(360, 32, 24), window_starts(360, 32, 24)[1:], strict=False)
    )


def test_the_norm_divides_by_the_root_mean_square_of_the_channels():
    norm = RmsNorm(6)
    with torch.no_grad():
        norm.scale.copy_(torch.arange(1.0, 7).reshape(6, 1, 1))
        norm.offset.fill_(0.25)
    x = drawn(2, 6, 5, 4) * 30
    root = x.double().square().mean(1, keepdim=True).sqrt()
    expected = x.double() / root * torch.arange(1.0, 7).reshape(6, 1, 1).double() + 0.25
    assert torch.allclose(norm(x).double(), expected, rtol=1e-5, atol=1e-5)


def test_the_norm_of_nothing_is_its_offset_and_has_a_gradient():
    norm, x = RmsNorm(4), torch.zeros(1, 4, 2, 2, requires_grad=True)
    y = norm(x)
    y.sum().backward()
    assert y.abs().max() == 0 and torch.isfinite(x.grad).all()


def test_modulation_is_squeeze_and_excitation():
    torch.manual_seed(0)
    layer = ChannelModulation(8)
    reference = nn.Sequential(
        nn.AdaptiveAvgPool2d(1), layer.net["1"], nn.ReLU(), layer.net["3"], nn.Sigmoid()
    )
    x = drawn(3, 8, 7, 5)
    assert torch.allclose(layer(x), x * reference(x), atol=1e-6)


@pytest.mark.parametrize(("channels", "branch"), [(12, 1), (16, 2), (64, 8)])
def test_five_eighths_of_the_channels_pass_the_context_unchanged(channels, branch):
    torch.manual_seed(0)
    x = drawn(1, channels, 6, 6)
    y = InceptionDepthwise(channels, 7)(x)
    passed = channels - 3 * branch
    assert torch.equal(y[:, :passed], x[:, :passed])
    assert all(not torch.equal(y[:, c], x[:, c]) for c in range(passed, channels))
