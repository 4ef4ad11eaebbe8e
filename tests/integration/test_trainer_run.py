"""Whole attempts in one process: what is written, and how each end is told."""

import contextlib
import errno
import hashlib
import json
import os
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from PIL import Image

from srqueue.run.folder import RunDir
from srqueue.run.listing import Listing, Picture, identity_of
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.spec.job import JobSpec, spec_id
from workers.trainer import checkpoint
from workers.trainer.attempt import run_attempt
from workers.trainer.data.pictures import Pictures
from workers.trainer.loop import Trainer
from workers.trainer.model_file import read_model
from workers.trainer.stopping import StopRequest
from workers.upscale import main as upscale_main
from workers.upscale import upscale


@dataclass
class Job:
    """A run folder and attempts at it."""

    run: RunDir
    listing_file: str

    def attempt(self, token=1, resume=None, stop=None, device="cpu") -> Outcome:
        listings = {"train": self.listing_file, "val": self.listing_file}
        attempt = self.run.write_attempt(token, resume, listings=listings, device=device, threads=1)
        code = run_attempt(self.run, attempt, stop or StopRequest())
        outcome = Outcome.read(attempt.outcome_file)
        assert code == (1 if outcome.reason is StopReason.CRASHED else 0)
        return outcome

    def resume(self, token, **more) -> Outcome:
        return self.attempt(token, self.run.checkpoint_names()[-1], **more)

    def events(self, kind, token=1):
        lines = self.run.attempt(token).events_file.read_text().splitlines()
        return [e for e in map(json.loads, lines) if e["kind"] == kind]

    def messages(self, token=1):
        return [e["data"]["text"] for e in self.events("message", token)]

    def tensors(self):
        newest = self.run.checkpoints / str(self.run.checkpoint_names()[-1])
        return checkpoint.read(newest)


@pytest.fixture
def own_pictures(pictures, tmp_path):
    """A copy of the pictures that a test may spoil."""
    folder = tmp_path / "hr"
    folder.mkdir()
    for file in pictures.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.fixture
def new_job(tmp_path, own_pictures, tiny_spec):
    """Makes a run folder for `tiny_spec`, changed by dotted keys."""

    def make(total_iter=40, name="job", **changes) -> Job:
        found = []
        for file in sorted(own_pictures.iterdir()):
            data, stat = file.read_bytes(), file.stat()
            digest = hashlib.sha256(data).hexdigest()
            held_out = file.stem == "held_out"
            found.append(Picture(file.name, 96, 96, len(data), stat.st_mtime_ns, digest, held_out=held_out))
        listing = Listing(
            "tiny", identity_of(tuple(found), None), str(own_pictures), None, None, tuple(found), {}
        )
        listing.write(tmp_path / "tiny.json")
        raw = json.loads(tiny_spec(listing.identity, total_iter).model_dump_json())
        for dotted, value in changes.items():
            *path, last = dotted.split("__")
            section = raw
            for key in path:
                section = section[key]
            section[last] = value
        run = RunDir(tmp_path / "runs" / name).create()
        run.spec_file.write_text(JobSpec.model_validate(raw).model_dump_json())
        return Job(run, str(tmp_path / "tiny.json"))

    return make


def stop_at(job, token, iteration, reason, monkeypatch):
    """A stop request that arrives while iteration `iteration` is computed."""
    from workers.trainer.optim.ema import Ema

    stop, real = StopRequest(), Ema.update

    def update(self, done):
        real(self, done)
        if done == iteration:
            stop.ask(reason)

    with monkeypatch.context() as patch:
        patch.setattr(Ema, "update", update)
        resume = (job.run.checkpoint_names() or [None])[-1]
        return job.attempt(token, resume, stop=stop)


def test_a_run_ends_with_events_an_outcome_and_an_export(new_job):
    job = new_job(60)
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration, outcome.export) == (
        StopReason.COMPLETED, 60, "export/tiny_x2.safetensors",
    )  # fmt: skip
    phases = [e["data"]["phase"] for e in job.events("phase")]
    assert phases[:3] == ["started", "loading", "training"]
    assert phases[-2:] == ["exporting", "finished"]
    trained = job.events("train")
    assert [e["it"] for e in trained] == [20, 40, 60] or trained[-1]["it"] == 60
    assert trained[-1]["data"].keys() >= {"loss", "lr", "it_s", "eta_s", "total_iter", "losses"}
    assert trained[-1]["data"]["loss"] == pytest.approx(trained[-1]["data"]["losses"]["l1"])
    validated = job.events("val")
    assert [e["it"] for e in validated] == [30, 60]
    last = validated[-1]["data"]
    assert last["val/psnr"] == last["val/tiny/psnr_y"]
    assert last.keys() >= {
        "val/ssim",
        "val/psnr_rgb",
        "bicubic/psnr",
        "bicubic/ssim",
        "best",
        "best_psnr",
        "seconds",
    }
    assert outcome.metrics["best/psnr"] == last["best_psnr"]
    assert outcome.metrics.keys() >= {
        "best/ssim",
        "best/psnr_rgb",
        "best/iteration",
        "seconds",
        "bicubic/psnr_rgb",
    }
    assert [e["data"]["seq"] for e in job.events("checkpoint")] == [1, 2]
    assert outcome.seq == 2
    assert {f.name for f in job.run.export.iterdir()} == {
        "tiny_x2.safetensors",
        "comparison.png",
        "metrics.json",
    }


def test_a_trained_network_is_better_than_bicubic(new_job):
    quick = {"train__optim_g__lr": 5e-3, "train__scheduler": {"type": "cosine"}, "train__ema_decay": 0.9}
    job = new_job(500, val__val_freq=500, **quick)
    metrics = job.attempt().metrics
    assert metrics["val/psnr"] > metrics["bicubic/psnr"] + 0.1
    assert metrics["val/ssim"] > metrics["bicubic/ssim"]


def test_the_export_is_the_moving_average_at_its_best(new_job, own_pictures):
    """A rate that destroys the network after the first validation: the best is exported, not the last."""
    job = new_job(40, train__ema_decay=0.9, val__val_freq=20, train__scheduler={"type": "constant"})
    first = job.attempt()
    best = read_model(job.run.path / first.export)
    lr = np.array(Image.open(own_pictures / "held_out.png"))[:48, :48]
    assert upscale(best, lr).shape == (96, 96, 3)
    assert best.metrics["best/psnr"] == max(e["data"]["val/psnr"] for e in job.events("val"))
    found, tensors = job.tensors()
    assert found.state["best_iteration"] == first.metrics["best/iteration"]
    for name, weight in best.net.state_dict().items():
        assert torch.equal(weight, tensors[f"best/{name}"]), name
    assert json.loads((job.run.export / "metrics.json").read_text())["spec_id"] == best.spec_id


LOSSES = {
    "l1": [{"type": "l1"}],
    "charbonnier": [{"type": "charbonnier"}],
    "l1+ssim": [{"type": "l1"}, {"type": "ssim", "loss_weight": 0.05}],
}
NETWORKS = {
    "compact": {"type": "compact", "num_feat": 8, "num_conv": 1},
    "nano": {"type": "paragonsr2_nano"},
}


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("losses", LOSSES)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_resumed_run_is_the_unbroken_run_bit_for_bit(new_job, monkeypatch, network, losses, channels_last):
    """Stopped before and after a validation, with every automation, schedule and clipping at work."""
    changes = {
        "network_g": NETWORKS[network],
        "train__losses": LOSSES[losses],
        "train__scheduler": {"type": "cosine"},
        "train__warmup_iter": 3,
        "train__grad_clip": 0.5,
        "train__training_automations": {
            "enabled": True,
            "IntelligentLearningRateScheduler": {"plateau_patience": 6, "improvement_threshold": 1.0},
            "IntelligentEarlyStopping": {"patience": 1000},
        },
        "val__val_freq": 6,
        "compute__channels_last": channels_last,
    }
    straight = new_job(24, "straight", **changes)
    straight.attempt()
    broken = new_job(24, "broken", **changes)
    for token, iteration in enumerate((5, 12, 19), 1):
        outcome = stop_at(broken, token, iteration, StopReason.PAUSED, monkeypatch)
        assert (outcome.reason, outcome.iteration) == (StopReason.PAUSED, iteration)
    assert broken.resume(4).reason is StopReason.COMPLETED
    (one, expected), (two, found) = straight.tensors(), broken.tensors()
    assert one.state["decisions"]  # the automations did something
    differing = [name for name in expected if not torch.equal(expected[name], found[name])]
    assert expected.keys() == found.keys()
    assert differing == []
    for key in ("iteration", "best", "best_iteration", "last", "automations", "decisions", "validated"):
        assert one.state[key] == two.state[key], key


@pytest.mark.parametrize("lost", ["optim", "ema", "automations"])
def test_each_part_of_the_state_is_needed(new_job, monkeypatch, lost):
    """The comparison above would notice any part that a checkpoint forgets."""
    rate = {"plateau_patience": 6, "improvement_threshold": 1.0}
    automations = {"enabled": True, "IntelligentLearningRateScheduler": rate}
    changes = {"train__training_automations": automations, "val__val_freq": 6, "train__ema_decay": 0.5}
    straight, broken = (new_job(24, name, **changes) for name in ("straight", "broken"))
    straight.attempt()
    stop_at(broken, 1, 14, StopReason.PAUSED, monkeypatch)
    real = Trainer.load

    def load(self, tensors, state):
        if lost == "automations":
            state.automations = {}
        kept = {name: t for name, t in tensors.items() if not name.startswith(f"{lost}/")}
        real(self, kept, state)

    monkeypatch.setattr(Trainer, "load", load)
    broken.resume(2)
    (one, expected), (two, found) = straight.tensors(), broken.tensors()
    same = expected.keys() == found.keys() and all(torch.equal(expected[n], found[n]) for n in expected)
    assert not (same and one.state["automations"] == two.state["automations"])


def test_a_validation_that_was_interrupted_is_done_after_the_restart(new_job, monkeypatch):
    job = new_job(40, val__val_freq=20)
    stop, real = StopRequest(), Pictures.__getitem__

    def getitem(self, index):
        if len(self) == 1:  # the validation set
            stop.ask(StopReason.DRAINED)
        return real(self, index)

    with monkeypatch.context() as patch:
        patch.setattr(Pictures, "__getitem__", getitem)
        assert job.attempt(stop=stop).iteration == 20
    assert job.resume(2).reason is StopReason.COMPLETED
    assert [e["it"] for e in job.events("val", 2)] == [20, 40]


def test_events_of_a_resumed_job_read_as_one_history(new_job, monkeypatch):
    job = new_job(40, logger__print_freq=10)
    stop_at(job, 1, 25, StopReason.PAUSED, monkeypatch)
    job.resume(2)
    trained = [e.it for e in job.run.events() if e.kind == "train"]
    assert trained == [10, 20, 25, 30, 40]
    restored = job.events("phase", 2)[0]["data"]
    assert (restored["phase"], restored["seq"], restored["from_token"]) == ("restored", 2, 1)


@pytest.mark.parametrize(
    ("reason", "saved", "exported"),
    [
        (StopReason.PAUSED, True, False),
        (StopReason.DRAINED, True, False),
        (StopReason.PREEMPTED, True, False),
        (StopReason.CANCELLED, True, True),
        (StopReason.LEASE_LOST, False, False),
    ],
)
def test_what_a_request_to_stop_leaves(new_job, monkeypatch, reason, saved, exported):
    job = new_job(40, val__val_freq=8)
    outcome = stop_at(job, 1, 13, reason, monkeypatch)
    assert (outcome.reason, outcome.iteration) == (reason, 13)
    assert [n.iteration for n in job.run.checkpoint_names()] == ([8, 13] if saved else [8])
    assert (outcome.export is not None) == exported
    if exported:
        assert read_model(job.run.path / outcome.export).metrics["best/iteration"] == 8


def test_a_finished_run_that_is_attempted_again_is_finished_at_once(new_job):
    job = new_job(20)
    first = job.attempt()
    again = job.resume(2)
    assert (again.reason, again.iteration, again.seq) == (StopReason.COMPLETED, 20, first.seq)
    assert job.events("train", 2) == []


def test_early_stopping_ends_the_run_and_says_why(new_job):
    stopping = {"patience": 20, "min_improvement": 50}
    automations = {"enabled": True, "IntelligentEarlyStopping": stopping}
    job = new_job(100, val__val_freq=10, train__training_automations=automations)
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration) == (StopReason.STOPPED_EARLY, 30)
    assert "has not gained" in job.events("action")[-1]["data"]["reason"]
    assert outcome.export
    again = job.resume(2)
    assert (again.reason, again.iteration) == (StopReason.STOPPED_EARLY, 30)


def test_a_cut_lowers_the_rate_that_is_reported(new_job):
    rate = {"plateau_patience": 10, "improvement_threshold": 1.0}
    automations = {"enabled": True, "IntelligentLearningRateScheduler": rate}
    still = {"train__optim_g__lr": 1e-12, "val__val_freq": 10, "logger__print_freq": 10}
    job = new_job(40, train__training_automations=automations, **still)
    job.attempt()
    rates = {e["it"]: e["data"]["lr"] for e in job.events("train")}
    assert rates == {10: 1e-12, 20: 1e-12, 30: 5e-13, 40: 2.5e-13}
    actions = [(e["it"], e["data"]["did"]) for e in job.events("action")]
    assert actions[0] == (20, "lowered the learning rate from 1 to 0.5 of its schedule")


def test_without_bf16_an_auto_precision_is_told_to_be_fp32(new_job, monkeypatch):
    monkeypatch.setattr("workers.trainer.resolve._has_bf16", lambda device: False)
    job = new_job(2, compute={})
    job.attempt()
    assert job.messages() == ["this device does not compute in bf16: training in fp32"]
    assert job.resume(2).reason is StopReason.COMPLETED
    assert job.messages(2) == []


def test_a_diverging_run_keeps_its_last_good_checkpoint(new_job):
    deep = {"type": "compact", "num_feat": 8, "num_conv": 8}
    job = new_job(400, network_g=deep, train__optim_g__lr=10.0, train__warmup_iter=300, val__val_freq=2)
    outcome = job.attempt()
    assert outcome.reason is StopReason.DIVERGED
    assert "the loss is" in outcome.message
    assert str(job.run.checkpoint_names()[-1]) in outcome.message
    assert outcome.seq == job.run.checkpoint_names()[-1].seq


def test_a_loss_that_is_no_number_ends_the_run(new_job, monkeypatch):
    from workers.trainer.losses.weighted import WeightedLosses

    real = WeightedLosses.forward

    def forward(self, sr, hr):
        loss, parts = real(self, sr, hr)
        return loss, parts * float("nan")

    monkeypatch.setattr(WeightedLosses, "forward", forward)
    outcome = new_job().attempt()
    assert outcome.reason is StopReason.DIVERGED
    assert "the loss is nan" in outcome.message


def test_weights_that_are_not_finite_are_never_saved(new_job, monkeypatch):
    """The loss was still finite: only the last step broke a weight."""

    from workers.trainer.optim.optimizer import Optimizer

    real = Optimizer.step

    def step(self, rate):
        real(self, rate)
        step.done += 1
        if step.done == 15:
            with torch.no_grad():
                next(iter(self._names)).view(-1)[0] = float("nan")

    step.done = 0
    monkeypatch.setattr(Optimizer, "step", step)
    job = new_job(15, val__val_freq=5)
    assert job.attempt().reason is StopReason.DIVERGED
    assert [n.iteration for n in job.run.checkpoint_names()] == [5, 10]


def test_a_dead_network_is_flagged_once(new_job):
    job = new_job(40, train__optim_g__lr=1e-12, val__val_freq=10)
    dead = {"type": "compact", "num_feat": 1, "num_conv": 0}
    file = job.run.path / "silent.safetensors"
    net = {f"body.{i}.{k}": torch.zeros(s) for i, k, s in SILENT}
    checkpoint.safetensors.torch.save_file(net, file)
    job = new_job(
        40,
        "dead",
        network_g=dead,
        train__optim_g__lr=1e-12,
        val__val_freq=10,
        path__pretrain_network_g=str(file),
    )
    job.attempt()
    assert sum("seems dead" in text for text in job.messages()) == 1


SILENT = [(0, "weight", (1, 3, 3, 3)), (0, "bias", 1), (2, "weight", (12, 1, 3, 3)), (2, "bias", 12)]


SPOILT = {
    "cut": lambda file: os.truncate(file, 500),
    "empty": lambda file: os.truncate(file, 0),
    "removed": lambda file: file.unlink(),
    "another": lambda file: Image.new("RGB", (96, 96)).save(file),
}


@pytest.mark.parametrize("spoil", SPOILT)
def test_one_unreadable_picture_is_named_and_left_out(new_job, own_pictures, spoil):
    job = new_job()
    SPOILT[spoil](own_pictures / "a.png")
    assert job.attempt().reason is StopReason.COMPLETED
    (told,) = [text for text in job.messages() if "a.png" in text]
    assert "left out from here on (1 of 2 training pictures)" in told
    assert "add the data set again" in told
    assert "submit again" in told
    assert job.tensors()[0].state["bad_pictures"] == ["a.png"]


def test_a_run_that_left_a_picture_out_resumes_bit_for_bit_also_when_it_is_back(
    new_job, own_pictures, monkeypatch
):
    straight, broken = new_job(24, "straight", val__val_freq=6), new_job(24, "broken", val__val_freq=6)
    whole = (own_pictures / "a.png").read_bytes()
    os.truncate(own_pictures / "a.png", 500)
    straight.attempt()
    stop_at(broken, 1, 13, StopReason.PAUSED, monkeypatch)
    (own_pictures / "a.png").write_bytes(whole)
    assert broken.resume(2).reason is StopReason.COMPLETED
    (one, expected), (two, found) = straight.tensors(), broken.tensors()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    assert one.state["bad_pictures"] == two.state["bad_pictures"] == ["a.png"]


def test_too_many_unreadable_pictures_are_data_corrupt(new_job, own_pictures):
    job = new_job()
    os.truncate(own_pictures / "a.png", 500)
    os.truncate(own_pictures / "b.png", 500)
    outcome = job.attempt()
    assert outcome.reason is StopReason.DATA_CORRUPT
    assert "2 of 2 training pictures cannot be read" in outcome.message
    assert "add the data set again" in outcome.message


def test_an_unreadable_validation_picture_is_data_corrupt(new_job, own_pictures):
    job = new_job()
    os.truncate(own_pictures / "held_out.png", 500)
    outcome = job.attempt()
    assert outcome.reason is StopReason.DATA_CORRUPT
    assert "held_out.png" in outcome.message


def test_a_folder_without_any_picture_is_data_missing(new_job, own_pictures):
    """What a disk looks like that is not mounted."""
    job = new_job()
    for file in own_pictures.iterdir():
        file.unlink()
    outcome = job.attempt()
    assert outcome.reason is StopReason.DATA_MISSING
    assert str(own_pictures) in outcome.message


def test_pictures_smaller_than_the_crop_are_left_out_and_counted(new_job, own_pictures):
    job = new_job(2)
    file = own_pictures.parent / "tiny.json"
    listing = Listing.read(file)
    small = tuple(replace(p, width=30) if p.path == "a.png" else p for p in listing.pictures)
    replace(listing, pictures=small).write(file)
    assert job.attempt().reason is StopReason.COMPLETED
    assert job.messages() == ["1 pictures smaller than the crop are left out"]


def test_other_pictures_than_the_specs_are_data_missing(new_job):
    job = new_job()
    listing = Listing.read(job.run.path.parents[1] / "tiny.json")
    replace(listing, identity="0" * 64).write(job.run.path.parents[1] / "tiny.json")
    outcome = job.attempt()
    assert outcome.reason is StopReason.DATA_MISSING
    assert "other pictures" in outcome.message


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda job: job.run.spec_file.write_text("{}"), "the spec does not hold"),
        (lambda job: job.run.spec_file.unlink(), "cannot read the spec"),
    ],
)
def test_a_broken_spec_is_spec_invalid(new_job, spoil, message):
    job = new_job()
    spoil(job)
    outcome = job.attempt()
    assert outcome.reason is StopReason.SPEC_INVALID
    assert message in outcome.message


def test_a_resume_that_is_gone_is_root_missing(new_job):
    job = new_job()
    from srqueue.run.folder import CheckpointName

    outcome = job.attempt(2, CheckpointName(3, 30, 1))
    assert (outcome.reason, outcome.iteration, outcome.seq) == (StopReason.ROOT_MISSING, 30, 3)


def test_too_little_memory_is_out_of_memory(new_job, monkeypatch):
    from workers.trainer.losses.weighted import WeightedLosses

    def forward(self, sr, hr):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(WeightedLosses, "forward", forward)
    assert new_job().attempt().reason is StopReason.OUT_OF_MEMORY


def test_an_unexpected_error_is_a_crash_with_a_traceback_in_the_log(new_job, monkeypatch, capfd):
    from workers.trainer.losses.weighted import WeightedLosses

    monkeypatch.setattr(WeightedLosses, "forward", lambda self, sr, hr: 1 / 0)
    outcome = new_job().attempt()
    assert outcome.reason is StopReason.CRASHED
    assert outcome.message == "ZeroDivisionError: division by zero"
    assert "Traceback" in capfd.readouterr().err


def full_disk(monkeypatch, until):
    """Every checkpoint fails with ENOSPC until `until()` is true."""
    real = checkpoint._write_synced

    def write(path, data):
        if not until():
            path.write_bytes(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data)

    monkeypatch.setattr(checkpoint, "_write_synced", write)


def test_training_goes_on_while_the_disk_is_full_and_is_saved_later(new_job, monkeypatch):
    job = new_job(40, val__val_freq=10)
    full_disk(monkeypatch, until=lambda: len(job.events("val")) >= 3)
    outcome = job.attempt()
    assert outcome.reason is StopReason.COMPLETED
    assert [n.iteration for n in job.run.checkpoint_names()] == [30, 40]
    assert sum("could not save" in text for text in job.messages()) >= 1
    assert list(job.run.checkpoints.glob("tmp-*")) == []


def test_a_disk_that_is_still_full_at_the_end_is_disk_full(new_job, monkeypatch):
    job = new_job(20)
    full_disk(monkeypatch, until=lambda: False)
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration) == (StopReason.DISK_FULL, 20)
    assert list(job.run.checkpoints.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")  # noqa: PTH110
def test_events_and_log_on_a_full_disk_never_end_a_training(new_job, monkeypatch):
    job = new_job(20)
    job.run.attempt(1).path.mkdir(parents=True)
    job.run.attempt(1).events_file.symlink_to("/dev/full")
    log = open("/dev/full", "w")  # noqa: PTH123, SIM115
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", log)
        assert job.attempt().reason is StopReason.COMPLETED
    with contextlib.suppress(OSError):
        log.close()


def test_an_outcome_that_cannot_be_written_is_the_last_line_of_the_log(new_job, monkeypatch, capsys):
    def write(self, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Outcome, "write", write)
    job = new_job(2)
    attempt = job.run.write_attempt(
        1, None, listings={"train": job.listing_file, "val": job.listing_file}, device="cpu", threads=1
    )
    assert run_attempt(job.run, attempt, StopRequest()) == 1
    assert "No space left on device" in capsys.readouterr().out.splitlines()[-1]


def test_a_damaged_newest_checkpoint_is_told_and_the_run_still_ends_the_same(new_job, monkeypatch):
    straight, broken = new_job(30, "straight", val__val_freq=10), new_job(30, "broken", val__val_freq=10)
    straight.attempt()
    stop_at(broken, 1, 23, StopReason.PAUSED, monkeypatch)
    newest = broken.run.checkpoints / str(broken.run.checkpoint_names()[-1]) / "state.safetensors"
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    broken.resume(2)
    assert "is damaged" in broken.messages(2)[0]
    expected, found = straight.tensors()[1], broken.tensors()[1]
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_changed_fingerprint_is_an_event_and_a_warning(new_job, monkeypatch):
    job = new_job(20)
    stop_at(job, 1, 5, StopReason.PAUSED, monkeypatch)
    assert job.events("fingerprint")[0]["data"]["changed"] == {}
    resolved = json.loads(job.run.resolved_file.read_text())
    resolved["compute"]["channels_last"] = True
    job.run.resolved_file.write_text(json.dumps(resolved))
    job.resume(2)
    assert job.events("fingerprint", 2)[0]["data"]["changed"] == {"channels_last": [False, True]}
    assert "channels_last False -> True" in job.messages(2)[0]
    quiet = job.resume(3)
    assert quiet.reason is StopReason.COMPLETED
    assert job.events("fingerprint", 3) == []


def test_a_checkpoint_is_bound_to_its_spec(new_job, monkeypatch):
    job = new_job(40)
    stop_at(job, 1, 5, StopReason.PAUSED, monkeypatch)
    manifest, _ = job.tensors()
    assert manifest.spec_id == spec_id(JobSpec.model_validate_json(job.run.spec_file.read_text()))
    other = new_job(40, "other", manual_seed=5)
    job.run.spec_file.write_text(other.run.spec_file.read_text())
    assert job.resume(2).reason is StopReason.SPEC_INVALID


def test_pretrained_weights_are_started_from(new_job):
    first = new_job(30)
    model = first.run.path / first.attempt().export
    warm = new_job(
        1, "warm", path__pretrain_network_g=str(model), train__optim_g__lr=1e-9, train__ema_decay=0.0
    )
    warm.attempt()
    _, tensors = warm.tensors()
    for name, weight in read_model(model).net.state_dict().items():
        assert torch.allclose(tensors[f"model/{name}"], weight, atol=1e-6)


def test_dynamic_loss_scheduling_is_said_not_to_be_acted_on(new_job):
    job = new_job(4, train__dynamic_loss_scheduling={"enabled": True})
    job.attempt()
    assert [e["data"]["level"] for e in job.events("message") if "dynamic_loss" in e["data"]["text"]] == [
        "warning"
    ]


def test_without_validation_the_last_weights_are_exported(new_job):
    job = new_job(10, val__val_enabled=False)
    outcome = job.attempt()
    assert job.events("val") == []
    model = read_model(job.run.path / outcome.export)
    _, tensors = job.tensors()
    assert all(torch.equal(w, tensors[f"ema/{n}"]) for n, w in model.net.state_dict().items())
    assert not (job.run.export / "comparison.png").exists()


@pytest.fixture
def model(new_job):
    job = new_job(2)
    return job.run.path / job.attempt().export


def test_upscale_a_folder(model, own_pictures, tmp_path, capsys):
    out = tmp_path / "out"
    assert upscale_main([str(model), str(own_pictures), str(out), "--device", "cpu", "--tile", "32"]) == 0
    assert {p.name for p in out.iterdir()} == {"a.png", "b.png", "held_out.png"}
    assert Image.open(out / "a.png").size == (192, 192)
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{model}", "{hr}/none.png", "{tmp}/o.png"], "no such file"),
        (["{model}", "{hr}/a.png", "{hr}/a.png", "--overwrite"], "replace its input"),
        (["{model}", "{hr}/a.png", "{hr}/b.png"], "already there"),
        (["{model}", "{hr}/a.png", "{tmp}/o.jpg"], "written as PNG"),
        (["{model}", "{tmp}", "{tmp}/o"], "no pictures"),
        (["{hr}/a.png", "{hr}/b.png", "{tmp}/o.png"], "cannot read the model"),
        (["{model}", "{hr}/a.png", "{tmp}/o.png", "--device", "cuda:77"], "not here"),
        (["{model}", "{hr}/a.png", "{tmp}/o.png", "--tile", "3"], "a tile needs"),
    ],
)
def test_upscale_tells_a_user_what_is_wrong(model, own_pictures, tmp_path, capsys, arguments, message):
    places = {"model": model, "hr": own_pictures, "tmp": tmp_path}
    assert upscale_main([a.format(**places) for a in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert "Traceback" not in error


def test_upscale_does_the_others_when_one_picture_is_broken(model, own_pictures, tmp_path, capsys):
    (own_pictures / "a.png").write_bytes(b"")
    assert upscale_main([str(model), str(own_pictures), str(tmp_path / "out"), "--device", "cpu"]) == 1
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"b.png", "held_out.png"}
    assert "a.png" in capsys.readouterr().err


def test_upscale_overwrites_only_when_told(model, own_pictures, tmp_path):
    out = tmp_path / "o.png"
    out.write_bytes(b"precious")
    call = [str(model), str(own_pictures / "a.png"), str(out), "--device", "cpu"]
    assert upscale_main(call) == 2
    assert out.read_bytes() == b"precious"
    assert upscale_main([*call, "--overwrite"]) == 0
    assert Image.open(out).size == (192, 192)
