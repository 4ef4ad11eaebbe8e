"""Which network a spec means: presets of another name than their type, and spandrel's."""

import pytest

from srqueue.errors import SpecError
from srqueue.spec.expand import DatasetRef, expand, set_value
from srqueue.spec.job import JobSpec, spec_id
from srqueue.spec.networks import (
    NETWORK_SPECS,
    EdsrSpec,
    ParagonSR2Spec,
    SpandrelSpec,
    network_arguments,
    network_name,
)
from srqueue.spec.originals import ORIGINALS

CC0 = DatasetRef("cc0", identity="a" * 64, scale=2)


def sets(*texts):
    return [("flag --set", set_value(text)) for text in texts]


def test_an_architecture_whose_name_is_not_its_type():
    expanded = expand(CC0, architecture="edsr_full")
    assert expanded.spec.network_g == EdsrSpec(num_feat=256, num_block=32, res_scale=0.1)
    assert expanded.spec.name == "edsr_full_cc0_convenience"
    assert expanded.origins["network_g.type"] == "flag --arch"
    assert expanded.origins["network_g.num_feat"] == "architecture edsr_full"


def test_what_a_preset_says_of_its_own_network_does_not_reach_a_namesake():
    """`quick` sets compact's arguments; they must not become those of EDSR."""
    spec = expand(CC0, preset="quick", architecture="edsr_full").spec
    assert spec.network_g == EdsrSpec(num_feat=256, num_block=32, res_scale=0.1)


@pytest.mark.parametrize(
    "asked",
    [
        {"architecture": "spandrel:DAT"},
        {"overrides": sets("network_g.type=spandrel:DAT")},
        {"overrides": [("mine.yaml", {"network_g": {"type": "spandrel", "name": "DAT"}})]},
        {"preset": "quick", "overrides": [("mine.yaml", {"network_g": {"type": "spandrel:DAT"}})]},
    ],
)
def test_spandrels_networks_are_named_with_a_colon_or_by_two_keys(asked):
    expanded = expand(CC0, **asked)
    assert expanded.spec.network_g == SpandrelSpec(name="DAT")
    assert JobSpec.model_validate_json(expanded.spec.model_dump_json()) == expanded.spec
    assert any("srqueue[archs]" in notice for notice in expanded.notices)


def test_the_name_of_a_spandrel_job_is_one_that_a_file_may_have():
    assert expand(CC0, architecture="spandrel:DAT").spec.name == "spandrel-DAT_cc0_convenience"


def test_a_network_is_called_what_it_is_asked_for_by():
    for asked in ("compact", "spandrel:DAT"):
        assert network_name(expand(CC0, architecture=asked).spec.network_g) == asked


def test_arguments_of_a_spandrel_network_are_json():
    overrides = sets("network_g.arguments.depth=[2, 2]", "network_g.arguments.upsampler=pixelshuffle")
    spec = expand(CC0, architecture="spandrel:DAT", overrides=overrides).spec
    assert spec.network_g == SpandrelSpec(
        name="DAT", arguments={"depth": [2, 2], "upsampler": "pixelshuffle"}
    )
    with pytest.raises(SpecError, match="finite"):
        expand(CC0, architecture="spandrel:DAT", overrides=sets("network_g.arguments.depth=.nan"))


def test_another_of_spandrels_networks_does_not_keep_the_arguments_of_the_one_before():
    before = {"network_g": {"type": "spandrel:DAT", "arguments": {"depth": [2]}}}
    spec = expand(CC0, overrides=[("mine.yaml", before), *sets("network_g.type=spandrel:HAT")]).spec
    assert spec.network_g == SpandrelSpec(name="HAT")
    again = expand(CC0, overrides=[("mine.yaml", before), *sets("network_g.type=spandrel:DAT")]).spec
    assert again.network_g == SpandrelSpec(name="DAT", arguments={"depth": [2]})


def test_the_id_of_a_job_names_which_of_spandrels_networks():
    asked = ["spandrel:DAT", "spandrel:HAT", "compact"]
    assert len({spec_id(expand(CC0, architecture=a).spec) for a in asked}) == 3


def test_every_argument_of_every_network_says_what_it_is():
    lacking = [
        f"{kind}.{name}"
        for kind in NETWORK_SPECS
        for name, argument in network_arguments({"type": kind}).items()
        if not argument["description"]
    ]
    assert not lacking


def test_the_arguments_of_a_network_are_as_given_beside_their_defaults():
    found = network_arguments({"type": "edsr", "num_feat": 256})
    assert list(found) == ["num_feat", "num_block", "res_scale"]
    assert (found["num_feat"]["value"], found["num_feat"]["default"]) == (256, 64)
    assert (found["num_block"]["value"], found["num_block"]["default"]) == (16, 16)
    assert network_arguments({"type": "spandrel", "name": "DAT"})["arguments"]["value"] == {}


def test_every_paragonsr2_can_begin_as_its_original_did():
    assert ORIGINALS.keys() == {t for t, spec in NETWORK_SPECS.items() if issubclass(spec, ParagonSR2Spec)}
    for kind, arguments in ORIGINALS.items():
        spec = expand(CC0, architecture=kind, overrides=[("original", {"network_g": arguments})]).spec
        assert spec.network_g.model_dump() == {"type": kind, "act": False, **arguments}


@pytest.mark.parametrize("wrong", ["spandrel:", "spandrel:../x", "spandrel:a b", "spandrel"])
def test_a_spandrel_network_needs_a_name(wrong):
    with pytest.raises(SpecError, match=r"network_g\.name"):
        expand(CC0, architecture=wrong)
