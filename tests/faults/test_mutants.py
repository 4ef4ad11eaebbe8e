"""The proof of the proof: whatever field of a checkpoint is not brought back, the comparison notices."""

from dataclasses import fields
from functools import cache

import pytest

from srqueue.spec.expand import DatasetRef, expand
from workers.trainer.state import RunState
from workers.verifying import mutants as proof
from workers.verifying.pictures import make_pictures
from workers.verifying.scenarios import SCENARIOS
from workers.verifying.verdict import Verifier

SHORT = {
    "datasets": {"train": {"lq_size": 16, "batch_size": 4}},
    "train": {"total_iter": 160},
    "val": {"val_freq": 10},
    "compute": {"device": "cpu", "threads": 1},
    "network_g": {"num_feat": 8, "num_conv": 1},
}


@pytest.fixture(scope="module")
def caught(tmp_path_factory):
    """Every mutant of a scenario, tried once."""

    @cache
    def caught(scenario):
        dataset = DatasetRef("verify-resume", val_name="verify-resume")
        spec = expand(dataset, preset="tuned", architecture="compact", overrides=[("test", SHORT)]).spec
        folder = tmp_path_factory.mktemp("mutants")
        verifier = Verifier(folder, make_pictures(folder), "cpu", 0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(proof, "SCENARIOS", {scenario: SCENARIOS[scenario]})
            return list(proof.mutants(verifier, spec, 0))

    return caught


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_field_that_is_lost_shows(caught, scenario):
    assert [one.mutant for one in caught(scenario) if not one.right] == []


def test_every_field_was_tried(caught):
    found = [one for scenario in SCENARIOS for one in caught(scenario)]
    tried = {one.mutant for one in found}
    assert tried >= {f"state {field.name}" for field in fields(RunState)}
    assert tried >= {"tensors model", "tensors ema", "tensors best", "tensors clip", "tensors optim/exp_avg"}
    assert {one.mutant for one in found if one.cached} == {f"state {name}" for name in proof.CACHED}
