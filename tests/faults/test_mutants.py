"""The proof of the proof: whatever field of a checkpoint is not brought back, the comparison notices."""

from dataclasses import fields

from srqueue.spec.expand import DatasetRef, expand
from workers.trainer.state import RunState
from workers.verifying.mutants import CACHED, mutants
from workers.verifying.pictures import make_pictures
from workers.verifying.verdict import Verifier

SHORT = {
    "datasets": {"train": {"lq_size": 16, "batch_size": 4}},
    "train": {"total_iter": 160},
    "val": {"val_freq": 10},
    "compute": {"device": "cpu", "threads": 1},
    "network_g": {"num_feat": 8, "num_conv": 1},
}


def test_each_field_that_is_lost_shows(tmp_path):
    dataset = DatasetRef("verify-resume", val_name="verify-resume")
    spec = expand(dataset, preset="tuned", architecture="compact", overrides=[("test", SHORT)]).spec
    found = list(mutants(Verifier(tmp_path, make_pictures(tmp_path), "cpu", 0), spec, 0))
    assert [caught.mutant for caught in found if not caught.right] == []
    tried = {caught.mutant for caught in found}
    assert tried >= {f"state {field.name}" for field in fields(RunState)}
    assert tried >= {"tensors model", "tensors ema", "tensors best", "tensors clip", "tensors optim/exp_avg"}
    assert {caught.mutant for caught in found if caught.cached} == {f"state {name}" for name in CACHED}
