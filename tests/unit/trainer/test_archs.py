"""The networks: shapes, counts, and what was mended in nano."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from srqueue.spec.networks import NETWORK_TYPES, CompactSpec, ParagonSR2NanoSpec
from workers.trainer.archs import ARCHITECTURES, build_network
from workers.trainer.archs import scalar_attention as scalar_attention_module
from workers.trainer.archs.scalar_attention import FAR_ORDER, by_moments, exact, scalar_attention
from workers.trainer.archs.windows import join, split, window_starts
from workers.trainer.data.resize import bicubic

# Name prefix -> (weight shape, values with bias) of nano x2, 2025-12-01.
NANO = {
    "conv_in": ((12, 3, 3, 3), 336),
    "content_processor.content_analyzer.0": ((3, 3, 3, 3), 84),
    "content_processor.content_analyzer.2": ((6, 3, 5, 5), 456),
    "content_processor.content_analyzer.4": ((6, 6, 7, 7), 1770),
    "content_processor.content_analyzer.7": ((1, 6, 1, 1), 7),
    "body.0.blocks.0.context.dwconv_hw": ((1, 1, 3, 3), 10),
    "body.0.blocks.0.context.dwconv_w": ((1, 1, 1, 7), 8),
    "body.0.blocks.0.context.dwconv_h": ((1, 1, 7, 1), 8),
    "body.0.blocks.0.transformer.project_in": ((14, 12, 1, 1), 182),
    "body.0.blocks.0.transformer.dw_mixer.0": ((14, 1, 3, 3), 140),
    "body.0.blocks.0.transformer.dw_mixer.2": ((14, 14, 1, 1), 210),
    "body.0.blocks.0.transformer.attention.query": ((1, 14, 1, 1), 15),
    "body.0.blocks.0.transformer.attention.key": ((1, 14, 1, 1), 15),
    "body.0.blocks.0.transformer.attention.value": ((14, 14, 1, 1), 210),
    "body.0.blocks.0.transformer.project_out": ((12, 14, 1, 1), 180),
    "conv_fuse": ((12, 12, 3, 3), 1308),
    "upsampler_net.up_conv": ((48, 12, 3, 3), 5232),
    "conv_out": ((3, 12, 3, 3), 327),
}
SINGLE = {
    "body.0.blocks.0.ls1.gamma": (1, 12, 1, 1),
    "body.0.blocks.0.ls2.gamma": (1, 12, 1, 1),
    "body.0.blocks.0.transformer.attention.gamma": (1,),
}
FROZEN = {
    "magic_upsampler.sharpen.conv_h.weight": (3, 1, 1, 7),
    "magic_upsampler.sharpen.conv_v.weight": (3, 1, 7, 1),
    "magic_upsampler.resample_conv.conv_h.weight": (3, 1, 1, 5),
    "magic_upsampler.resample_conv.conv_v.weight": (3, 1, 5, 1),
}


def nano(scale=2, **arguments):
    torch.manual_seed(0)
    return build_network(ParagonSR2NanoSpec(**arguments), scale)


def test_the_table_has_every_architecture_of_the_specs():
    assert set(ARCHITECTURES) == set(NETWORK_TYPES)


def test_nano_has_exactly_the_tensors_of_the_papers_date():
    state = nano().state_dict()
    expected = {f"{name}.weight": shape for name, (shape, _) in NANO.items()} | SINGLE | FROZEN
    expected |= {f"{name}.bias": (shape[0],) for name, (shape, _) in NANO.items()}
    assert {name: tuple(t.shape) for name, t in state.items()} == expected
    for name, (_, count) in NANO.items():
        assert state[f"{name}.weight"].numel() + state[f"{name}.bias"].numel() == count, name


@pytest.mark.parametrize(("scale", "learnable"), [(2, 10_523), (4, 26_219)])
def test_nano_counts(scale, learnable):
    net = nano(scale)
    trained = [p for p in net.parameters() if p.requires_grad]
    frozen = [p for p in net.parameters() if not p.requires_grad]
    assert (len(trained), sum(p.numel() for p in trained)) == (39, learnable)
    assert (len(frozen), sum(p.numel() for p in frozen)) == (4, 72)


def test_compact_counts():
    net = build_network(CompactSpec(), 2)
    assert sum(p.numel() for p in net.parameters()) == 41_356


@pytest.mark.parametrize(
    "spec", [CompactSpec(num_feat=4, num_conv=1), ParagonSR2NanoSpec()], ids=lambda s: s.type
)
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(8, 8), (33, 20), (41, 70)])
def test_a_network_enlarges_by_its_scale_and_every_weight_learns(spec, scale, size):
    torch.manual_seed(1)
    net = build_network(spec, scale)
    y = net(torch.rand(2, 3, *size))
    assert y.shape == (2, 3, size[0] * scale, size[1] * scale)
    y.square().mean().backward()
    silent = {n for n, p in net.named_parameters() if p.requires_grad and p.grad is None}
    assert silent == set()


def test_compact_starts_as_bicubic_with_a_signal_that_keeps_its_size():
    torch.manual_seed(0)
    net = build_network(CompactSpec(num_feat=32, num_conv=8), 2)
    x = torch.rand(1, 3, 24, 24)
    assert torch.equal(net(x), bicubic(x, (48, 48)))
    first, last = net.body[:2](x), net.body[:-1](x)
    assert 0.1 < last.square().mean() / first.square().mean() < 10  # torch's defaults: 1e-6


def test_bicubic_is_keys_with_a_half():
    """The kernel of one bright pixel, x2, against Keys' cubic at a = -0.5."""
    x = torch.zeros(1, 1, 1, 9)
    x[..., 4] = 1
    row = bicubic(x.expand(1, 1, 9, 9), (18, 18))[0, 0, 9]
    offsets = (torch.arange(18) + 0.5) / 2 - 0.5 - 4

    def keys(t, a=-0.5):
        t = abs(float(t))
        if t < 1:
            return (a + 2) * t**3 - (a + 3) * t**2 + 1
        return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0

    assert torch.allclose(row, torch.tensor([keys(t) for t in offsets]), atol=1e-6)


def test_the_sub_pixel_filters_of_nano_start_equal():
    weight = nano().upsampler_net.up_conv.weight.detach().reshape(12, 4, 12, 3, 3)
    assert torch.equal(weight, weight[:, :1].expand_as(weight))
    assert weight[:, 0].std() == pytest.approx(math.sqrt(2 / (12 * 9)), rel=0.1)


def test_layer_scale_and_detail_gain_come_from_the_spec():
    plain, damped = nano(), nano(layer_scale=1e-5, detail_gain=0.05)
    assert torch.allclose(damped.conv_out.weight, plain.conv_out.weight * 0.05)
    assert damped.body[0].blocks[0].ls1.gamma.unique().tolist() == pytest.approx([1e-5])


def test_the_fixed_upsampler_keeps_flat_pictures_up_to_the_border():
    flat = torch.full((1, 3, 10, 12), 0.6)
    assert torch.allclose(nano().magic_upsampler(flat), torch.full((1, 3, 20, 24), 0.6), atol=1e-6)


def test_a_positive_alpha_sharpens_and_a_negative_one_blurs():
    edge = torch.zeros(1, 3, 16, 16)
    edge[..., 8:] = 1
    spread = {a: float(nano(alpha=a).magic_upsampler(edge).diff(dim=3).abs().max()) for a in (-0.4, 0.0, 0.4)}
    assert spread[-0.4] < spread[0.0] < spread[0.4]


def test_alpha_minus_04_is_what_the_paper_did():
    x = torch.rand(1, 3, 16, 16)
    taps = torch.tensor([-1.0, 0, 9, 16, 9, 0, -1]) / 32
    kernel = torch.outer(taps, taps).expand(3, 1, 7, 7)
    smooth = F.conv2d(F.pad(x, [3] * 4, mode="replicate"), kernel, groups=3)
    upsampler = nano(alpha=-0.4).magic_upsampler
    assert torch.allclose(x + upsampler.alpha * (x - upsampler.sharpen(x)), x + 0.4 * (smooth - x), atol=1e-6)


def naive_attention(a, k, v):
    logits = a.double()[:, :, None] * k.double()[:, None, :]
    return (v.double() @ torch.softmax(logits, 2).transpose(1, 2)).float()


@pytest.mark.parametrize("size", [0.01, 0.3, 0.7, 0.99])
def test_attention_by_moments_is_the_naive_attention(size):
    torch.manual_seed(0)
    k = torch.randn(3, 64)
    k = k - k.mean(1, keepdim=True)
    a = torch.randn(3, 64)
    a = a * (size / (a.abs().amax(1) * k.abs().amax(1)).amax())
    v = torch.randn(3, 5, 64)
    assert torch.allclose(by_moments(a, k, v), naive_attention(a, k, v), atol=1e-6)


@pytest.mark.parametrize("spread", ["even", "skewed", "lonely"])
@pytest.mark.parametrize("size", [1.0, 2.5, 4.0, 5.9])
def test_a_longer_series_reaches_further_whatever_the_scale_of_its_factors(size, spread, monkeypatch):
    torch.manual_seed(0)
    a, k = torch.randn(3, 1024), torch.randn(3, 1024)
    if spread == "skewed":
        k = k.abs() ** 3
    elif spread == "lonely":
        k = torch.where(torch.rand_like(k) < 0.01, 30 * k, k)
    k = k - k.mean(1, keepdim=True)
    a = a * (size / (a.abs().amax(1) * k.abs().amax(1)).amax())
    v = torch.randn(3, 5, 1024)
    monkeypatch.setattr(scalar_attention_module, "exact", None)  # it is not needed
    for scale in (1.0, 1e-6, 1e6):
        found = scalar_attention(a * scale, k / scale, v)
        assert torch.allclose(found, naive_attention(a, k, v), atol=1e-6)


@pytest.mark.parametrize("size", [0.3, 20.0])
def test_attention_is_right_for_any_size_of_its_logits_and_any_offset_of_its_keys(size):
    torch.manual_seed(0)
    a, k, v = torch.randn(20, 50) * size / 9, torch.randn(20, 50) + 7, torch.randn(20, 4, 50)
    assert torch.allclose(scalar_attention(a, k, v), naive_attention(a, k, v), atol=2e-6)


def test_the_gradients_of_both_forms_agree():
    torch.manual_seed(0)
    given = [torch.randn(2, 40) * 0.2, torch.randn(2, 40) * 0.5, torch.randn(2, 3, 40)]
    given[1] -= given[1].mean(1, keepdim=True)
    gradients = []
    for form in (by_moments, exact, lambda a, k, v: by_moments(a / 9, k * 9, v, FAR_ORDER)):
        leaves = [t.clone().requires_grad_() for t in given]
        (form(*leaves) ** 2).sum().backward()
        gradients.append([t.grad for t in leaves])
    for one, *others in zip(*gradients, strict=True):
        assert all(torch.allclose(one, other, atol=1e-5) for other in others)


@settings(max_examples=40)
@given(height=st.integers(1, 90), width=st.integers(1, 90))
def test_windows_cover_everything_and_join_to_what_was_split(height, width):
    x = torch.rand(1, 2, height, width, dtype=torch.float64)
    rows, columns = (window_starts(side, 32, 24) for side in (height, width))
    windows = split(x, rows, columns, min(32, height), min(32, width))
    assert torch.allclose(join(windows, rows, columns, 8), x)


def test_windows_are_anchored_at_the_edge():
    assert window_starts(64, 32, 24) == [0, 24, 32]
    assert window_starts(32, 32, 24) == [0]
    assert window_starts(33, 32, 24) == [0, 1]


def test_the_fades_are_ninths():
    parts = torch.stack([torch.zeros(1, 1, 32, 32), torch.ones(1, 1, 32, 32)])
    row = join(parts, [0], [0, 24], 8)[0, 0, 0]
    assert torch.allclose(row[24:32], torch.arange(1, 9) / 9, atol=1e-6)
    assert row[:24].sum() == 0
    assert row[32:].unique().tolist() == [1.0]
