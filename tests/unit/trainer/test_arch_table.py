"""Every network: how large it is, what it gives, and how it starts."""

import sys

import pytest
import torch
from pydantic import TypeAdapter

from srqueue.errors import SpecError
from srqueue.spec.networks import SPANDREL, NetworkSpec
from srqueue.spec.presets import architecture_names, load_preset
from workers.arch_table import describe, of_foreign, receptive_field
from workers.trainer.archs import build_network
from workers.trainer.data.resize import bicubic

LEARNABLE_X2 = {
    "paragonsr2_nano": 10_523,
    "paragonsr2_micro": 19_357,
    "paragonsr2_tiny": 42_412,
    "paragonsr2_xs": 77_683,
    "paragonsr2_s": 215_190,
    "paragonsr2_m": 1_785_020,
    "paragonsr2_l": 5_153_716,
    "paragonsr2_xl": 14_481_476,
    "paragonsr2_realtime": 16_780 - 72,
    "compact": 41_356,
    # 1.37 M and 40.7 M in the paper's table (Lim et al., 2017).
    "edsr": 1_369_859,
    "edsr_full": 40_729_603,
}
WITH_FROZEN_X4 = {"paragonsr2_realtime": 44_620, "paragonsr2_stream": 221_068}
SMALL = [n for n in architecture_names() if n not in ("paragonsr2_xl", "paragonsr2_l", "edsr_full")]


def spec_of(name, **arguments):
    keys = load_preset(name, "architectures").tree["network_g"]
    return TypeAdapter(NetworkSpec).validate_python({**keys, **arguments})


def on_meta(name, scale):
    with torch.device("meta"):
        return build_network(spec_of(name), scale)


@pytest.mark.parametrize(("name", "count"), LEARNABLE_X2.items())
def test_a_network_has_as_many_learnable_values_as_published(name, count):
    assert sum(p.numel() for p in on_meta(name, 2).parameters() if p.requires_grad) == count


@pytest.mark.parametrize(("name", "count"), WITH_FROZEN_X4.items())
def test_the_advertised_counts_are_those_at_x4_with_the_frozen_kernels(name, count):
    assert sum(p.numel() for p in on_meta(name, 4).parameters()) == count


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", architecture_names())
def test_a_network_enlarges_by_its_scale(name, scale):
    with torch.device("meta"):
        y = build_network(spec_of(name), scale)(torch.empty(2, 3, 40, 36))
    assert y.shape == (2, 3, 40 * scale, 36 * scale)


@pytest.mark.parametrize("name", SMALL)
def test_a_fresh_network_is_sane_and_all_of_it_learns(name, photo):
    torch.manual_seed(0)
    net = build_network(spec_of(name), 2)
    hr = torch.from_numpy(photo).permute(2, 0, 1)[None, :, :64, :64].float() / 255
    lr = bicubic(hr, (32, 32))
    sr = net(lr)
    assert torch.isfinite(sr).all()
    assert (sr - hr).abs().mean() < 0.5  # near the picture, not an explosion
    (sr - hr).abs().mean().backward()
    norms = {n: p.grad.norm().item() for n, p in net.named_parameters() if p.grad is not None}
    assert all(norm < 1e3 for norm in norms.values())
    # Where the last convolution starts at zero, the first one is reached after a step.
    torch.optim.SGD(net.parameters(), lr=1e-2).step()
    net.zero_grad()
    (net(lr) - hr).abs().mean().backward()
    first = next(p for p in net.parameters() if p.requires_grad)
    assert first.grad is not None and first.grad.norm() > 0


@pytest.mark.parametrize("name", ["paragonsr2_tiny", "paragonsr2_realtime", "span", "edsr"])
def test_a_few_steps_lower_the_loss(name, photo):
    torch.manual_seed(0)
    more = {"num_block": 2} if name in ("edsr", "span") else {}
    net = build_network(spec_of(name, **more), 2)
    hr = torch.from_numpy(photo).permute(2, 0, 1)[None, :, :48, :48].float() / 255
    lr = bicubic(hr, (24, 24))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = (net(lr) - hr).abs().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", ["paragonsr2_nano", "paragonsr2_s", "paragonsr2_stream"])
def test_the_flag_act_changes_the_function_and_no_tensor(name):
    nets = []
    for act in (False, True):
        torch.manual_seed(0)
        nets.append(build_network(spec_of(name, act=act), 2))
    plain, active = (net.state_dict() for net in nets)
    assert all(torch.equal(plain[key], active[key]) for key in plain) and plain.keys() == active.keys()
    x = torch.linspace(0, 1, 3 * 20 * 20).reshape(1, 3, 20, 20)
    assert not torch.equal(nets[0](x), nets[1](x))


def test_the_receptive_field_is_that_of_the_convolutions():
    """Six 3x3 convolutions on LR see 13 pixels, whatever the skip sees within them."""
    assert receptive_field(build_network(spec_of("compact"), 2), 2) == 13


def test_the_multiply_adds_are_those_of_the_convolutions():
    """At 640x360 LR: weights of each convolution, once a pixel."""
    found = describe(spec_of("compact"), 2)
    weights = 9 * (3 * 32 + 4 * 32 * 32 + 32 * 12)
    assert found["multiply_adds"] == weights * 640 * 360


class LooksAtValues(torch.nn.Conv2d):
    def forward(self, x):
        return super().forward(x) * (2 if x.max().item() > 1 else 1)


def test_foreign_multiply_adds_are_counted_where_the_code_runs_without_values():
    assert of_foreign(torch.nn.Conv2d(3, 8, 3, padding=1), 4) == 9 * 3 * 8 * 320 * 180
    assert of_foreign(LooksAtValues(3, 8, 3, padding=1), 4) is None


def test_spandrel_without_its_packages_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel", None)  # as where it is not installed
    spec = TypeAdapter(NetworkSpec).validate_python({"type": SPANDREL, "name": "SPAN"})
    with pytest.raises(SpecError, match="needs spandrel") as caught:
        build_network(spec, 2)
    assert "pip install" in (caught.value.hint or "")
