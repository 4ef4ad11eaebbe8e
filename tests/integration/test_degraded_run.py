"""A training on degraded crops: it resumes bit for bit, and its validation is not degraded."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch

from srqueue.run.folder import RunDir
from srqueue.run.listing import Listing, Picture, identity_of
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.spec.job import JobSpec
from workers.trainer import checkpoint
from workers.trainer.attempt import run_attempt
from workers.trainer.stopping import StopRequest

DEGRADATIONS = {
    "before": [{"type": "blur", "probability": 0.6}, {"type": "noise", "sigma": [1, 8], "probability": 0.5}],
    "after": [{"type": "resize", "probability": 0.4}, {"type": "jpeg", "probability": 0.7}],
}


@pytest.fixture
def listing(tmp_path, pictures):
    found = []
    for file in sorted(pictures.iterdir()):
        stat, digest = file.stat(), hashlib.sha256(file.read_bytes()).hexdigest()
        held = file.stem == "held_out"
        found.append(Picture(file.name, 96, 96, stat.st_size, stat.st_mtime_ns, digest, held_out=held))
    chosen = tuple(found)
    listing = Listing("tiny", identity_of(chosen, None), str(pictures), None, None, chosen, {})
    listing.write(tmp_path / "tiny.json")
    return listing


@pytest.fixture
def new_run(tmp_path, listing, tiny_spec):
    def make(name, degradations):
        raw = json.loads(tiny_spec(listing.identity, 40).model_dump_json())
        raw["datasets"]["train"] |= {"degradations": degradations, "batch_size": 2, "accum_iter": 2}
        run = RunDir(tmp_path / "runs" / name).create()
        run.spec_file.write_text(JobSpec.model_validate(raw).model_dump_json())
        return run

    return make


def attempt(run, tmp_path, token=1, stop=None):
    names = run.checkpoint_names()
    file = str(tmp_path / "tiny.json")
    at = run.write_attempt(
        token, names[-1] if names else None, listings={"train": file, "val": file}, device="cpu", threads=1
    )
    run_attempt(run, at, stop or StopRequest())
    return Outcome.read(at.outcome_file)


def tensors(run):
    return checkpoint.read(run.checkpoints / str(run.checkpoint_names()[-1]))[1]


def test_a_resumed_run_is_the_unbroken_run_bit_for_bit(new_run, tmp_path, monkeypatch):
    from workers.trainer.optim.ema import Ema

    unbroken, broken, plain = (
        new_run(name, d) for name, d in (("a", DEGRADATIONS), ("b", DEGRADATIONS), ("c", {}))
    )
    whole = attempt(unbroken, tmp_path)
    assert whole.reason is StopReason.COMPLETED, whole.message

    stop, real = StopRequest(), Ema.update

    def update(self, done):
        real(self, done)
        if done == 17:
            stop.ask(StopReason.PAUSED)

    with monkeypatch.context() as patch:
        patch.setattr(Ema, "update", update)
        assert attempt(broken, tmp_path, stop=stop).reason is StopReason.PAUSED
    resumed = attempt(broken, tmp_path, token=2)
    assert resumed.reason is StopReason.COMPLETED
    assert attempt(plain, tmp_path).reason is StopReason.COMPLETED

    one, two, other = tensors(unbroken), tensors(broken), tensors(plain)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one), "the degradations did something"
    assert resumed.metrics["val/psnr"] == whole.metrics["val/psnr"]
    # Validation is on the pictures as they are: the same bicubic baseline with and without.
    baselines = {_bicubic(run) for run in (unbroken, plain)}
    assert len(baselines) == 1 and np.isfinite(baselines.pop())


def _bicubic(run):
    lines = run.attempt(1).events_file.read_text().splitlines()
    return next(e["data"]["bicubic/psnr"] for e in map(json.loads, lines) if e["kind"] == "val")
