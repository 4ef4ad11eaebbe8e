"""Exported models: what their files say, and which files are refused, in which words."""

import json

import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from srqueue.errors import UsageError
from srqueue.spec.networks import CompactSpec, ParagonSR2NanoSpec
from workers.trainer.archs import build_network
from workers.trainer.model_file import read_model, write_model

SMALL = CompactSpec(num_feat=4, num_conv=1)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "m_x2.safetensors"


@pytest.mark.parametrize("spec", [SMALL, ParagonSR2NanoSpec(alpha=0.1)], ids=lambda s: s.type)
def test_a_model_file_is_all_that_is_needed_to_use_the_model(file, spec):
    net = build_network(spec, 2).eval()
    write_model(file, net.state_dict(), spec, 2, "5" * 64, {"best/psnr": 31.5})
    model = read_model(file)
    x = torch.rand(1, 3, 9, 8)
    assert torch.equal(model.net(x), net(x))
    assert (model.scale, model.network, model.spec_id) == (2, spec, "5" * 64)
    assert model.metrics == {"best/psnr": 31.5}


def test_the_metadata_is_readable_by_others(file):
    write_model(file, build_network(SMALL, 2).state_dict(), SMALL, 2, "5" * 64, {})
    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    assert json.loads(metadata["arguments"]) == {"num_feat": 4, "num_conv": 1}
    assert {"architecture", "scale", "spec_id", "metrics", "format_version"} <= metadata.keys()


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "was not exported by srqueue"),
        ({"format": "srqueue-model", "format_version": "9"}, "format version 9"),
        ({"format": "srqueue-model", "format_version": "1"}, "does not hold together"),
        (
            {
                "format": "srqueue-model",
                "format_version": "1",
                "architecture": "os.system",
                "arguments": "{}",
            },
            "does not know",
        ),
    ],
)
def test_a_file_that_is_no_model_of_ours_is_refused(file, metadata, message):
    file.write_bytes(safetensors.torch.save(build_network(SMALL, 2).state_dict(), metadata))
    with pytest.raises(UsageError, match=message):
        read_model(file)


def test_arguments_that_leave_the_tensors_alike_are_built_too(file):
    """alpha and act change the function and no tensor."""
    torch.manual_seed(0)
    spec = ParagonSR2NanoSpec(alpha=-0.3, act=True)
    net = build_network(spec, 2).eval()
    write_model(file, net.state_dict(), spec, 2, "5", {})
    x = torch.rand(1, 3, 9, 8)
    assert torch.equal(read_model(file).net(x), net(x))
    assert read_model(file).network == spec


def test_a_file_that_is_no_safetensors_is_refused(file):
    file.write_bytes(b"\x80\x04nonsense")
    with pytest.raises(UsageError, match="cannot read"):
        read_model(file)
    with pytest.raises(UsageError, match="cannot read"):
        read_model(file.with_name("none"))


def test_tensors_of_another_network_are_refused(file):
    write_model(file, build_network(CompactSpec(num_feat=5, num_conv=1), 2).state_dict(), SMALL, 2, "5", {})
    with pytest.raises(UsageError, match="does not hold together"):
        read_model(file)
