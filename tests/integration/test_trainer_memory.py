"""Attempts on little memory, in micro-batches and in half precision."""

import pytest
import torch

from srqueue.run.reasons import StopReason
from workers.trainer.archs.compact import Compact
from workers.trainer.losses.weighted import WeightedLosses


def test_too_little_memory_is_out_of_memory(new_job, monkeypatch):
    def forward(self, sr, hr):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 MiB\nmore")

    monkeypatch.setattr(WeightedLosses, "forward", forward)
    job = new_job()
    outcome = job.attempt()
    assert outcome.reason is StopReason.OUT_OF_MEMORY
    assert [e["data"]["did"] for e in job.events("action")] == [
        "halved the micro-batch from 4 to 2; a batch still has 4",
        "halved the micro-batch from 2 to 1; a batch still has 4",
    ]
    assert job.events("action")[0]["data"]["reason"] == "CUDA out of memory. Tried to allocate 1 MiB"


@pytest.fixture
def small_memory(monkeypatch):
    """A network that trains on at most `crops` at once; more fail from the n-th forward on."""

    def limit(crops, from_call=1):
        real, calls = Compact.forward, [0]

        def forward(self, x):
            if torch.is_grad_enabled():
                calls[0] += 1
                if len(x) > crops and calls[0] >= from_call:
                    raise torch.OutOfMemoryError("CUDA out of memory.")
            return real(self, x)

        monkeypatch.setattr(Compact, "forward", forward)

    return limit


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("from_call", [1, 2])
def test_the_micro_batch_is_halved_and_the_same_iteration_done_again(
    new_job, small_memory, stop_at, from_call, channels_last
):
    """From the second call: the gradient of the first half is there already, and must go."""
    batch = {"datasets__train__batch_size": 8, "compute__channels_last": channels_last}
    small = new_job(12, "small", **batch, compute__micro_batch=2)
    small.attempt()
    small_memory(2, from_call)
    job = new_job(12, "job", **batch, compute__micro_batch=4 if from_call == 2 else "auto")
    stop_at(job, 1, 5, StopReason.PAUSED)
    assert (
        job.events("action")[-1]["data"]["did"] == "halved the micro-batch from 4 to 2; a batch still has 8"
    )
    assert {e["it"] for e in job.events("action")} == {0}
    assert job.resume(2).reason is StopReason.COMPLETED
    assert job.events("action", 2) == []  # what was found out is kept
    assert job.tensors()[0].state["micro_batch"] == 2
    assert job.differing(small) == []


def test_accumulating_two_batches_is_one_batch_of_twice_the_size(new_job):
    accumulated = {"datasets__train__batch_size": 8, "datasets__train__accum_iter": 2}
    whole = {"datasets__train__batch_size": 16, "compute__micro_batch": 8}
    two, one = new_job(10, "two", **accumulated), new_job(10, "one", **whole)
    two.attempt()
    one.attempt()
    assert two.differing(one) == []


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_learns_and_is_resumed_bit_for_bit(new_job, stop_at, precision):
    changes = {"compute__precision": precision, "train__grad_clip": 0.1, "compute__micro_batch": 2}
    straight, broken = new_job(40, "straight", **changes), new_job(40, "broken", **changes)
    metrics = straight.attempt().metrics
    assert metrics["val/psnr"] == pytest.approx(metrics["bicubic/psnr"], abs=2)
    for token, iteration in ((1, 7), (2, 21)):
        stop_at(broken, token, iteration, StopReason.PAUSED)
    broken.resume(3)
    assert straight.differing(broken) == []
    state = broken.tensors()[0].state
    assert state["scaler"] == straight.tensors()[0].state["scaler"]
    assert (state["scaler"].get("_growth_tracker") == 40) == (precision == "fp16")
    full = new_job(40, "full", train__grad_clip=0.1, compute__micro_batch=2)
    assert full.attempt().metrics["val/psnr"] == pytest.approx(metrics["val/psnr"], abs=0.05)


def test_a_scale_that_is_too_high_is_lowered_and_the_weights_stay_finite(new_job, monkeypatch):
    real = torch.amp.GradScaler.__init__
    monkeypatch.setattr(
        torch.amp.GradScaler, "__init__", lambda self, device: real(self, device, init_scale=2.0**40)
    )
    job = new_job(60, compute__precision="fp16")
    assert job.attempt().reason is StopReason.COMPLETED
    manifest, tensors = job.tensors()
    assert manifest.state["scaler"]["scale"] < 2.0**40
    assert all(torch.isfinite(t).all() for t in tensors.values())
    assert manifest.state["rollbacks"] == 0
