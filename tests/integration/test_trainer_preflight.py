"""The preflight: what it finds before the first iteration, and that it changes nothing."""

import gc
import shutil
import weakref
from collections import namedtuple

import pytest

from srqueue.run.reasons import StopReason
from workers.trainer import attempt

PREFLIGHT = {"preflight": True}


def warnings(job):
    return [e["data"]["text"] for e in job.events("message") if e["data"]["level"] == "warning"]


def test_it_measures_what_the_run_will_need(new_job):
    job = new_job(6, **PREFLIGHT)
    assert job.attempt().reason is StopReason.COMPLETED
    (found,) = (e["data"] for e in job.events("resource"))
    assert found["it_s"] > 0 and found["validation_s"] > 0 and found["save_s"] > 0
    stored = job.run.checkpoints / str(job.run.checkpoint_names()[-1]) / "state.safetensors"
    assert found["checkpoint_bytes"] == pytest.approx(stored.stat().st_size, rel=0.2)
    assert any(text.startswith("preflight: ") for text in job.messages())
    assert found["files"] == found["files_hashed"] > 0
    hashed = f"{found['files']} of {found['files']} picture files hashed"
    assert any(hashed in text for text in job.messages())
    assert not (job.run.path / "preflight").exists()


def test_the_run_trains_the_same_bits_with_it_and_without(new_job):
    plain, tried = new_job(12, "plain"), new_job(12, "tried", **PREFLIGHT)
    plain.attempt()
    tried.attempt()
    assert plain.differing(tried) == []
    one, two = plain.tensors()[0].state, tried.tensors()[0].state
    assert [key for key in one if one[key] != two[key] and key != "seconds"] == []


def test_a_resumed_run_is_not_tried_again(new_job, stop_at):
    job = new_job(12, **PREFLIGHT)
    stop_at(job, 1, 6, StopReason.PAUSED)
    job.resume(2)
    assert job.events("resource", 1) and not job.events("resource", 2)


def test_a_picture_that_is_gone_is_found_before_the_first_iteration(new_job, own_pictures):
    job = new_job(6, **PREFLIGHT)
    next(path for path in sorted(own_pictures.iterdir()) if path.is_file()).write_bytes(b"cut off")
    outcome = job.attempt()
    assert outcome.reason in (StopReason.DATA_CORRUPT, StopReason.DATA_MISSING)
    assert outcome.iteration == 0


def test_another_picture_of_the_same_size_is_found_too(new_job, own_pictures):
    job = new_job(6, **PREFLIGHT)
    file = own_pictures / "held_out.png"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration) == (StopReason.DATA_CORRUPT, 0)
    assert "held_out.png" in outcome.message
    assert job.events("resource") == []


def test_nothing_of_the_trial_is_left_when_the_run_begins(new_job, monkeypatch):
    """Its tensors would lie on the device beside those of the run."""
    real, built, left = attempt.build_trainer, [], []

    def build(*given):
        left.append([ref for ref in built if ref() is not None])
        trainer = real(*given)
        built.append(weakref.ref(trainer))
        return trainer

    monkeypatch.setattr(attempt, "build_trainer", build)
    gc.disable()  # it must not be chance
    try:
        assert new_job(6, **PREFLIGHT).attempt().reason is StopReason.COMPLETED
    finally:
        gc.enable()
    assert left == [[], []]


def test_too_small_a_disk_is_found_before_the_first_iteration(new_job, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))
    outcome = new_job(6, **PREFLIGHT).attempt()
    assert outcome.reason is StopReason.DISK_FULL
    assert "checkpoints of" in outcome.message and outcome.iteration == 0


def test_a_rate_far_from_the_measured_one_is_told(new_job):
    job = new_job(6, train__optim_g__lr=1e-5, **PREFLIGHT)
    job.attempt()
    assert any("times below" in text for text in warnings(job))


@pytest.mark.parametrize("network", ["paragonsr2_nano", "paragonsr2_realtime", "paragonsr2_stream"])
def test_a_base_path_below_bicubic_is_told(new_job, network):
    job = new_job(6, network_g={"type": network, "alpha": -0.4}, **PREFLIGHT)
    job.attempt()
    assert any("below bicubic interpolation" in text for text in warnings(job))
