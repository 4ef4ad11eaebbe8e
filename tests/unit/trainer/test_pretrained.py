"""Pretrained weights: what fits, what does not, and in which words."""

import hashlib

import pytest
import safetensors.torch
import torch

from srqueue.errors import SpecError
from srqueue.spec.job import PathSpec
from srqueue.spec.networks import NETWORK_SPECS, CompactSpec, ParagonSR2NanoSpec
from workers.trainer.archs import build_network
from workers.trainer.model_file import describe, write_model
from workers.trainer.pretrained import load_pretrained

SMALL = CompactSpec(num_feat=4, num_conv=1)
NANO = ParagonSR2NanoSpec(alpha=0.4)


@pytest.fixture
def weights(tmp_path):
    """Writes a state dict, of which no metadata tell anything."""

    def write(state, metadata=None):
        path = tmp_path / "w.safetensors"
        path.write_bytes(safetensors.torch.save(state, metadata))
        return path

    return write


@pytest.fixture
def exported(tmp_path):
    """Writes a fresh network as srqueue exports one."""

    def write(spec, scale=2):
        path = tmp_path / "m.safetensors"
        write_model(path, build_network(spec, scale).state_dict(), spec, scale, "5", {})
        return path

    return write


def load(net, file, strict=True, spec=SMALL, scale=2, sha256=None, log=print):
    path = PathSpec(pretrain_network_g=str(file), strict_load_g=strict, pretrain_sha256=sha256)
    return load_pretrained(net, path, spec, scale, log)


def load_into(spec, file, strict=True, scale=2):
    return load(build_network(spec, scale), file, strict, spec, scale)


def other_state():
    state = build_network(SMALL, 2).state_dict()
    state["body.0.weight"] = torch.zeros(9, 3, 3, 3)
    state["extra"] = torch.zeros(1)
    del state["body.4.bias"]
    return state


def test_weights_that_fit_are_taken(weights):
    source, net = build_network(SMALL, 2), build_network(SMALL, 2)
    assert load(net, weights(source.state_dict())) == ""
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), source.parameters(), strict=True))


def test_strict_names_all_that_does_not_fit(weights):
    with pytest.raises(SpecError) as caught:
        load(build_network(SMALL, 2), weights(other_state()))
    text = str(caught.value)
    assert "1 missing: body.4.bias" in text
    assert "1 unknown: extra" in text
    assert "body.0.weight [9, 3, 3, 3], not [4, 3, 3, 3]" in text
    assert "strict_load_g" in text


def test_not_strict_takes_what_fits_and_says_so(weights):
    net, state = build_network(SMALL, 2), other_state()
    before = net.body[0].weight.clone()
    told = load(net, weights(state), strict=False)
    assert told.startswith("4 of 6 tensors taken over; 1 missing")
    assert torch.equal(net.body[2].weight, state["body.2.weight"])
    assert torch.equal(net.body[0].weight, before)


@pytest.mark.parametrize("strict", [True, False])
def test_what_is_too_much_for_a_sentence_is_named_in_the_log(weights, strict):
    deep, log = CompactSpec(num_feat=4, num_conv=4), []
    arguments = (build_network(deep, 2), weights(build_network(SMALL, 2).state_dict()), strict, deep)
    if strict:
        with pytest.raises(SpecError) as caught:
            load(*arguments, log=log.append)
        told = caught.value.message
    else:
        told = load(*arguments, log=log.append)
    assert "6 missing: body.6.weight, " in told
    assert "and 1 more" in told
    assert told.endswith("(all are named in the attempt's log)")
    missing = {line.removeprefix("  missing: ") for line in log if line.startswith("  missing: ")}
    assert missing == {f"body.{i}.{part}" for i in (6, 8, 10) for part in ("weight", "bias")}
    assert [line for line in log if "another shape" in line] == [
        "  of another shape: body.4.weight [12, 4, 3, 3], not [4, 4, 3, 3]",
        "  of another shape: body.4.bias [12], not [4]",
    ]


def test_what_fits_into_a_sentence_is_not_told_twice(weights):
    log = []
    told = load(build_network(SMALL, 2), weights(other_state()), strict=False, log=log.append)
    assert "log" not in told
    assert log == []


@pytest.mark.parametrize(
    ("state", "message"),
    [({"a": torch.zeros(1)}, "no tensor"), ({"body.0.bias": torch.full((4,), float("nan"))}, "not finite")],
)
def test_useless_weights_are_refused_also_when_not_strict(weights, state, message):
    with pytest.raises(SpecError, match=message):
        load(build_network(SMALL, 2), weights(state), strict=False)


def test_a_missing_or_foreign_file_is_named(tmp_path):
    with pytest.raises(SpecError, match="cannot read the weights"):
        load(build_network(SMALL, 2), tmp_path / "none")
    (tmp_path / "x").write_bytes(b"no tensors")
    with pytest.raises(SpecError, match="not a safetensors file") as caught:
        load(build_network(SMALL, 2), tmp_path / "x")
    assert caught.value.hint is None


def test_a_pickle_is_not_opened_and_the_way_out_is_told(tmp_path):
    (tmp_path / "x.pth").write_bytes(b"\x80\x04nonsense")
    with pytest.raises(SpecError, match="not a safetensors file") as caught:
        load(build_network(SMALL, 2), tmp_path / "x.pth")
    assert "weights_only=True" in caught.value.hint
    assert "save_file" in caught.value.hint


def test_another_file_than_the_spec_was_made_with_is_refused(weights):
    file = weights(build_network(SMALL, 2).state_dict())
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert load(build_network(SMALL, 2), file, sha256=sha256) == ""
    weights(build_network(SMALL, 2).state_dict() | {"body.0.bias": torch.ones(4)})
    with pytest.raises(SpecError, match=f"pretrain_sha256 wants {sha256}"):
        load(build_network(SMALL, 2), file, sha256=sha256)


@pytest.mark.parametrize("prefix", ["params_ema.", "params.", "module."])
def test_the_prefixes_of_other_trainers_are_taken_off(weights, prefix):
    source, net = build_network(SMALL, 2), build_network(SMALL, 2)
    assert load(net, weights({prefix + n: t for n, t in source.state_dict().items()})) == ""
    assert torch.equal(net.body[0].weight, source.body[0].weight)


def test_of_two_sets_in_a_file_the_moving_average_is_taken(weights):
    raw, ema, net = (build_network(SMALL, 2) for _ in range(3))
    state = {f"params.{n}": t for n, t in raw.state_dict().items()}
    state |= {f"params_ema.{n}": t for n, t in ema.state_dict().items()}
    assert load(net, weights(state)) == ""
    assert torch.equal(net.body[0].weight, ema.body[0].weight)


def test_an_exported_model_is_a_start(exported):
    assert load_into(NANO, exported(NANO)) == ""
    assert load_into(SMALL, exported(SMALL)) == ""


@pytest.mark.parametrize("strict", [True, False])
def test_weights_of_another_architecture_are_refused(exported, strict):
    with pytest.raises(SpecError, match="of a compact, and network_g is a paragonsr2_nano"):
        load_into(NANO, exported(SMALL), strict)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("trained", [True, False])
def test_weights_are_refused_across_the_act_flag(exported, strict, trained):
    file = exported(NANO.model_copy(update={"act": trained}))
    with pytest.raises(SpecError, match="same tensors, another network") as caught:
        load_into(NANO.model_copy(update={"act": not trained}), file, strict)
    assert caught.value.hint == f"set network_g.act: {str(trained).lower()}"
    assert load_into(NANO.model_copy(update={"act": trained}), file, strict) == ""


def test_a_body_of_another_scale_is_taken_only_when_asked(exported):
    file = exported(SMALL, 2)
    with pytest.raises(SpecError, match="of a x2 network, and this one is x4"):
        load_into(SMALL, file, scale=4)
    told = load_into(SMALL, file, strict=False, scale=4)
    assert told.startswith("the weights are of a x2 network, and this one is x4; 4 of 6 tensors taken over")


def test_another_alpha_is_told_and_other_initial_values_are_not(exported):
    file = exported(NANO)
    told = load_into(NANO.model_copy(update={"alpha": 0.0}), file)
    assert told == "the weights were trained with alpha: 0.4, and network_g has alpha: 0.0"
    assert load_into(NANO.model_copy(update={"detail_gain": 0.05, "layer_scale": 1e-5}), file) == ""


def test_of_a_file_without_our_metadata_nothing_is_taken_for_granted(weights):
    """The tensors of nano say neither its pre-filter nor its activations."""
    file = weights(build_network(NANO, 2).state_dict())
    assert "network_g.alpha: -0.4" in load_into(NANO, file)
    assert load_into(NANO.model_copy(update={"alpha": -0.4}), file) == ""
    active = NANO.model_copy(update={"act": True})
    with pytest.raises(SpecError) as caught:
        load_into(active, file)
    assert "act: true" in caught.value.message
    assert "network_g.act: false" in (caught.value.hint or "")
    assert load_into(active, file, strict=False)


@pytest.mark.parametrize(("name", "alpha"), [("micro", "-0.45"), ("realtime", "-0.3"), ("stream", "0")])
def test_each_network_is_told_its_own_original_pre_filter(weights, name, alpha):
    spec = NETWORK_SPECS[f"paragonsr2_{name}"]()
    file = weights(build_network(spec, 2).state_dict())
    assert f"network_g.alpha: {alpha} here" in load_into(spec, file)
    assert load_into(spec.model_copy(update={"alpha": float(alpha)}), file) == ""


def test_damaged_metadata_are_refused(weights):
    metadata = describe(SMALL, 2, "5", {}) | {"arguments": "[1"}
    with pytest.raises(SpecError, match="metadata are damaged"):
        load(build_network(SMALL, 2), weights(build_network(SMALL, 2).state_dict(), metadata))
