"""Exported models and pretrained weights: what fits, what does not, and in which words."""

import json

import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from srqueue.errors import SpecError, UsageError
from srqueue.spec.networks import CompactSpec, ParagonSR2NanoSpec
from workers.trainer.archs import build_network
from workers.trainer.model_file import read_model, write_model
from workers.trainer.pretrained import load_pretrained

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
            "does not hold together",
        ),
    ],
)
def test_a_file_that_is_no_model_of_ours_is_refused(file, metadata, message):
    file.write_bytes(safetensors.torch.save(build_network(SMALL, 2).state_dict(), metadata))
    with pytest.raises(UsageError, match=message):
        read_model(file)


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


@pytest.fixture
def weights(tmp_path):
    def write(state):
        path = tmp_path / "w.safetensors"
        path.write_bytes(safetensors.torch.save(state))
        return path

    return write


def other_state():
    state = build_network(SMALL, 2).state_dict()
    state["body.0.weight"] = torch.zeros(9, 3, 3, 3)
    state["extra"] = torch.zeros(1)
    del state["body.4.bias"]
    return state


def test_weights_that_fit_are_taken(weights):
    source, net = build_network(SMALL, 2), build_network(SMALL, 2)
    assert load_pretrained(net, weights(source.state_dict()), strict=True) == ""
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), source.parameters(), strict=True))


def test_strict_names_all_that_does_not_fit(weights):
    with pytest.raises(SpecError) as caught:
        load_pretrained(build_network(SMALL, 2), weights(other_state()), strict=True)
    text = str(caught.value)
    assert "1 missing: body.4.bias" in text
    assert "1 unknown: extra" in text
    assert "body.0.weight [9, 3, 3, 3], not [4, 3, 3, 3]" in text
    assert "strict_load_g" in text


def test_not_strict_takes_what_fits_and_says_so(weights):
    net, state = build_network(SMALL, 2), other_state()
    before = net.body[0].weight.clone()
    told = load_pretrained(net, weights(state), strict=False)
    assert told.startswith("4 of 6 tensors taken over; 1 missing")
    assert torch.equal(net.body[2].weight, state["body.2.weight"])
    assert torch.equal(net.body[0].weight, before)


@pytest.mark.parametrize(
    ("state", "message"),
    [({"a": torch.zeros(1)}, "no tensor"), ({"body.0.bias": torch.full((4,), float("nan"))}, "not finite")],
)
def test_useless_weights_are_refused_also_when_not_strict(weights, state, message):
    with pytest.raises(SpecError, match=message):
        load_pretrained(build_network(SMALL, 2), weights(state), strict=False)


def test_a_missing_or_foreign_file_is_named(tmp_path):
    with pytest.raises(SpecError, match="cannot read the weights"):
        load_pretrained(build_network(SMALL, 2), tmp_path / "none", strict=True)
    (tmp_path / "x").write_bytes(b"torch pickle")
    with pytest.raises(SpecError, match="not a safetensors file"):
        load_pretrained(build_network(SMALL, 2), tmp_path / "x", strict=True)
