"""What every other test here rests on: a spec determines the bits, and its seed changes them."""

import json

import torch

from srqueue.run.folder import RunDir
from tests.faults.by_hand import Job, assert_same


def test_two_runs_of_a_spec_are_the_same_and_another_seed_is_not(tmp_path, job, undisturbed):
    job.finish(1, fresh=True)
    assert_same(job, undisturbed)
    raw = json.loads(job.run.spec_file.read_text())
    other = Job(RunDir(tmp_path / "runs" / "other").create(), job.listing, job.processes)
    other.run.spec_file.write_text(json.dumps({**raw, "manual_seed": 7}))
    other.finish(1)
    different = other.final_state()[1]
    assert not torch.equal(different["model/body.0.weight"], undisturbed[1]["model/body.0.weight"])
