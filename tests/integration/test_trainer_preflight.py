"""The preflight: what it finds before the first iteration, and that it changes nothing."""

import gc
import resource
import shutil
import weakref
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from srqueue.run.reasons import StopReason
from workers.trainer import attempt, preflight
from workers.trainer.archs.compact import Compact
from workers.trainer.losses.weighted import WeightedLosses
from workers.trainer.step import Step
from workers.trainer.stopping import StopRequest

PREFLIGHT = {"preflight": True}


def warnings(job):
    return [e["data"]["text"] for e in job.events("message") if e["data"]["level"] == "warning"]


@pytest.fixture
def steps(monkeypatch):
    """Calls `at` as each step of the whole attempt begins, by its number from 1; returns the numbers."""

    def watch(at=lambda number: None):
        seen, real = [], Step.__call__

        def step(self, *given):
            seen.append(len(seen) + 1)
            at(len(seen))
            return real(self, *given)

        monkeypatch.setattr(Step, "__call__", step)
        return seen

    return watch


@pytest.fixture
def two_to_validate(monkeypatch):
    """The only picture of the validation set, twice."""
    real = attempt.open_datasets

    def twice(*given):
        datasets = real(*given)
        datasets.validation.pictures *= 2
        return datasets

    monkeypatch.setattr(attempt, "open_datasets", twice)


def enlarged(monkeypatch, at=lambda: None):
    """Counts the pictures that the preflight enlarges."""
    seen, real = [], preflight.super_resolve

    def super_resolve(*given):
        seen.append(1)
        at()
        return real(*given)

    monkeypatch.setattr(preflight, "super_resolve", super_resolve)
    return seen


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
    assert [key for key in one if one[key] != two[key] and key not in ("seconds", "energy")] == []


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


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (["a.png", "held_out.png"], "cannot read a picture: No such file or directory\n  where: "),
        ([], "the folder of a data set is empty: its pictures are not there\n  where: "),
        (None, "a folder of data set 'tiny' is not there\n  where: "),
    ],
)
def test_what_is_missing_is_told_as_what_it_is(new_job, own_pictures, left, told):
    job = new_job(6, **PREFLIGHT)
    for file in own_pictures.iterdir():
        if file.name not in (left or []):
            file.unlink()
    if left is None:
        own_pictures.rmdir()
    outcome = job.attempt()
    assert outcome.reason is StopReason.DATA_MISSING
    assert outcome.message.startswith(told)


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


@pytest.mark.parametrize(("room", "reason"), [(16, StopReason.DISK_FULL), (20, StopReason.COMPLETED)])
def test_a_disk_without_room_for_all_checkpoints_is_found_before_the_first_iteration(
    new_job, monkeypatch, room, reason
):
    """18 lie there at once, at most: the last three, the best, one each tenth of the run, and so on."""
    measured = new_job(6, "measured", **PREFLIGHT)
    measured.attempt()
    free = room * measured.events("resource")[0]["data"]["checkpoint_bytes"]
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - free, free))
    outcome = new_job(6, **PREFLIGHT).attempt()
    assert outcome.reason is reason
    if reason is StopReason.DISK_FULL:
        assert "18 checkpoints of" in outcome.message and outcome.iteration == 0


def test_a_disk_that_gives_back_other_bytes_is_found_before_the_first_iteration(new_job, monkeypatch):
    real = preflight.read

    def spoilt(folder):
        manifest, tensors = real(folder)
        name = min(name for name in tensors if name.startswith("model/"))
        return manifest, tensors | {name: tensors[name] + 1}

    monkeypatch.setattr(preflight, "read", spoilt)
    job = new_job(6, **PREFLIGHT)
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration) == (StopReason.ROOT_MISSING, 0)
    assert "does not read back" in outcome.message
    assert not (job.run.path / "preflight").exists()


def test_twenty_steps_are_tried_where_there_is_time(new_job, steps):
    seen = steps()
    new_job(6, **PREFLIGHT).attempt()
    assert len(seen) == 20 + 6


@pytest.mark.parametrize(("seconds", "tried"), [(20, 1), (6, 3), (1, 16)])
def test_no_step_begins_after_the_limit_and_the_first_ones_count(new_job, steps, monkeypatch, seconds, tried):
    """On a CPU a single step of a large network takes many seconds."""
    clock = [0.0]
    monkeypatch.setattr(preflight, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def pass_time(number):
        clock[0] += seconds

    seen = steps(pass_time)
    job = new_job(6, **PREFLIGHT)
    job.attempt()
    assert len(seen) == tried + 6
    assert job.events("resource")[0]["data"]["it_s"] == pytest.approx(1 / seconds)


def test_a_request_to_stop_is_heeded_between_two_steps(new_job, monkeypatch):
    """Between them: where a compiler forbids to look within."""
    stop, seen, real = StopRequest(), [], Step.__call__

    def step(self, *given):
        losses = real(self, *given)
        seen.append(stop.ask(StopReason.PAUSED))
        return losses

    monkeypatch.setattr(Step, "__call__", step)
    pictures = enlarged(monkeypatch)
    job = new_job(6, **PREFLIGHT)
    outcome = job.attempt(stop=stop)
    assert (outcome.reason, outcome.iteration) == (StopReason.PAUSED, 0)
    assert (len(seen), pictures, job.events("resource")) == (1, [], [])


@pytest.mark.parametrize("reason", [StopReason.CANCELLED, StopReason.PAUSED])
@pytest.mark.parametrize("where", ["forward", "backward"])
def test_a_request_to_stop_ends_a_step_in_its_middle(new_job, monkeypatch, steps, where, reason):
    """On a CPU a single step of a large network takes minutes: its supervisor would have killed it."""
    stop, moved = StopRequest(), []
    real_loss, real_forward = WeightedLosses.forward, Compact.forward

    def forward(self, x):
        if where == "forward":
            stop.ask(reason)
        return real_forward(self, x)

    def loss(self, sr, hr):
        stop.ask(reason)
        return real_loss(self, sr, hr)

    monkeypatch.setattr(Compact, "forward", forward)
    monkeypatch.setattr(WeightedLosses, "forward", loss)
    monkeypatch.setattr(Step, "_move", lambda self, rate: moved.append(rate))
    seen = steps()
    job = new_job(6, **PREFLIGHT)
    outcome = job.attempt(stop=stop)
    assert (outcome.reason, outcome.iteration, outcome.export) == (reason, 0, None)
    assert (len(seen), moved, job.events("resource")) == (1, [], [])


def test_a_request_to_stop_ends_the_validation(new_job, monkeypatch, two_to_validate):
    stop = StopRequest()
    pictures = enlarged(monkeypatch, lambda: stop.ask(StopReason.PAUSED))
    job = new_job(6, **PREFLIGHT)
    assert job.attempt(stop=stop).reason is StopReason.PAUSED
    assert (len(pictures), job.events("resource")) == (1, [])


def test_all_pictures_are_enlarged_where_nobody_stops_it(new_job, monkeypatch, two_to_validate):
    pictures = enlarged(monkeypatch)
    new_job(6, **PREFLIGHT).attempt()
    assert len(pictures) == 2


def test_a_micro_batch_that_fits_is_found_once(new_job, monkeypatch):
    real = Compact.forward

    def forward(self, x):
        if torch.is_grad_enabled() and len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(self, x)

    monkeypatch.setattr(Compact, "forward", forward)
    job = new_job(6, **PREFLIGHT)
    job.attempt()
    (halved,) = job.events("action")
    assert halved["data"]["did"].startswith("halved the micro-batch from 4 to 2")
    assert job.events("resource")[0]["data"]["micro_batch"] == job.tensors()[0].state["micro_batch"] == 2


@pytest.mark.parametrize("dynamic", [True, False])
def test_the_memory_of_dynamic_loss_weights_is_tried_too(new_job, monkeypatch, dynamic):
    """It needs more than a step does: the network's output for each loss by itself."""
    real = Step._norms

    def norms(self, lr, hr):
        if self.micro_batch > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(self, lr, hr)

    monkeypatch.setattr(Step, "_norms", norms)
    scheduling = {"enabled": dynamic, "interval": 5}
    losses = [{"type": "l1", "loss_weight": 1.0}, {"type": "luma", "loss_weight": 0.1}]
    job = new_job(6, train__dynamic_loss_scheduling=scheduling, train__losses=losses, **PREFLIGHT)
    job.attempt()
    assert job.events("resource")[0]["data"]["micro_batch"] == (2 if dynamic else 4)


def test_the_memory_told_is_the_most_that_was_needed_not_what_is_held_now(new_job):
    torch.empty(2**26).fill_(1)  # 256 MiB, and free again
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    job = new_job(6, **PREFLIGHT)
    job.attempt()
    assert job.events("resource")[0]["data"]["peak_bytes"] >= before


def test_a_rate_far_from_the_measured_one_is_told(new_job):
    job = new_job(6, train__optim_g__lr=1e-5, **PREFLIGHT)
    job.attempt()
    assert any("times below" in text for text in warnings(job))


@pytest.mark.parametrize("network", ["paragonsr2_nano", "paragonsr2_realtime", "paragonsr2_stream"])
def test_a_base_path_below_bicubic_is_told(new_job, network):
    job = new_job(6, network_g={"type": network, "alpha": -0.4}, **PREFLIGHT)
    job.attempt()
    assert any("below bicubic interpolation" in text for text in warnings(job))


@pytest.mark.parametrize("network", ["paragonsr2_nano", "paragonsr2_realtime"])
def test_a_base_path_above_bicubic_is_not_told(new_job, own_pictures, network):
    """A wave of eight pixels, which the sharpest setting gets 6 dB better than bicubic interpolation."""
    wave = (127 + 100 * np.sin(np.arange(96) * np.pi / 4)).astype(np.uint8)
    Image.fromarray(np.tile(wave[:, None, None], (1, 96, 3))).save(own_pictures / "held_out.png")
    job = new_job(6, network_g={"type": network, "alpha": 1.0}, **PREFLIGHT)
    job.attempt()
    assert not any("fixed upsampler" in text for text in warnings(job))
