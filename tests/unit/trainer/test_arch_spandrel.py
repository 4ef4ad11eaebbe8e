"""Networks of the spandrel library; needs spandrel and a torchvision that fits torch."""

import pytest
import torch

from srqueue.errors import SpecError
from srqueue.spec.networks import SpandrelSpec
from workers.arch_table import describe
from workers.onnx import main as export
from workers.trainer.archs import build_network
from workers.trainer.model_file import write_model

# Of another torch it raises RuntimeError at import.
pytest.importorskip("torchvision", exc_type=(ImportError, RuntimeError))
pytest.importorskip("spandrel")


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_network_of_spandrel_is_built_fresh_and_learns(scale):
    nets = []
    for _ in range(2):
        torch.manual_seed(0)
        nets.append(
            build_network(SpandrelSpec(name="Compact", arguments={"num_feat": 8, "num_conv": 2}), scale)
        )
    one, other = (net.state_dict() for net in nets)
    assert all(torch.equal(one[name], other[name]) for name in one)
    y = nets[0](torch.linspace(0, 1, 3 * 16 * 12).reshape(1, 3, 16, 12))
    assert y.shape == (1, 3, 16 * scale, 12 * scale)
    y.square().mean().backward()
    assert nets[0].training and all(p.grad is not None for p in nets[0].parameters())


@pytest.mark.filterwarnings("ignore:torch.meshgrid")
def test_what_needs_channels_gets_three_and_what_could_only_restore_enlarges():
    assert build_network(SpandrelSpec(name="SPAN", arguments={"feature_channels": 8}), 2).in_channels == 3
    small = {"embed_dim": 12, "depths": [1], "num_heads": [2], "window_size": 8}
    swin = build_network(SpandrelSpec(name="SwinIR", arguments=small), 2)
    assert swin(torch.zeros(1, 3, 16, 16)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Compct", {}, "no network 'Compct'"),
        ("Compact", {"num_fet": 8}, "no argument 'num_fet'"),
        ("Compact", {"upscale": 4}, "upscale is 4, the spec's scale 2"),
        ("DnCNN", {}, "does not enlarge"),
        ("SAFMN", {}, "needs arguments: dim"),
        ("Compact", {"num_feat": "many"}, "cannot build it"),
        ("SwinIR", {"window_size": 7}, "RuntimeError"),
        ("Compact", {"num_in_ch": 1}, "cannot enlarge"),
        ("RealPLKSR", {"dropout": 0.5, "dim": 8, "n_blocks": 1}, "by chance"),
    ],
)
@pytest.mark.filterwarnings("ignore:torch.meshgrid")
def test_what_cannot_be_trained_is_refused_before_the_first_iteration(name, arguments, message):
    with pytest.raises(SpecError, match=message):
        build_network(SpandrelSpec(name=name, arguments=arguments), 2)


def test_its_figures_are_those_of_its_convolutions():
    found = describe(SpandrelSpec(name="Compact", arguments={"num_feat": 8, "num_conv": 2}), 2)
    weights = 9 * (3 * 8 + 2 * 8 * 8 + 8 * 12)
    assert found["multiply_adds"] == weights * 640 * 360
    assert found["parameters"] == weights + 3 * 8 + 12 + 3 * 8, "biases, and PReLU's slopes"
    assert found["receptive_field"] is None


def test_without_a_count_of_multiply_adds_the_other_figures_are_there():
    found = describe(SpandrelSpec(name="SeemoRe"), 2)  # chooses by value which of its experts work
    assert found["multiply_adds"] is None
    assert found["parameters"] > 100_000


def test_an_export_names_which_of_spandrels_networks_it_is(tmp_path, capsys):
    spec = SpandrelSpec(name="Compact", arguments={"num_feat": 8, "num_conv": 1})
    write_model(tmp_path / "m.safetensors", build_network(spec, 2).state_dict(), spec, 2, "5", {})
    assert export([str(tmp_path / "m.safetensors"), str(tmp_path / "m.onnx")]) == 0
    assert "m.onnx  spandrel:Compact x2, float32" in capsys.readouterr().out
