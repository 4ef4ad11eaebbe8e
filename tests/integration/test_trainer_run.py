"""Whole attempts in one process: what is written, and how each end is told."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from srqueue.run.reasons import StopReason
from workers.trainer import checkpoint
from workers.trainer.losses.weighted import WeightedLosses
from workers.trainer.model_file import read_model
from workers.upscale import upscale


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
    assert trained[-1]["data"].keys() >= {
        *("loss", "lr", "it_s", "eta_s", "total_iter", "losses", "cpu", "rss_mib"),
    }
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


@pytest.mark.parametrize(
    ("reason", "saved", "exported"),
    [
        (StopReason.PAUSED, True, False),
        (StopReason.DRAINED, True, False),
        (StopReason.PREEMPTED, True, False),
        (StopReason.YIELDED, True, False),
        (StopReason.BUDGET_SPENT, True, True),
        (StopReason.CANCELLED, True, True),
        (StopReason.LEASE_LOST, False, False),
    ],
)
def test_what_a_request_to_stop_leaves(new_job, reason, saved, exported, stop_at):
    job = new_job(40, val__val_freq=8, logger__save_checkpoint_seconds=600)
    outcome = stop_at(job, 1, 13, reason)
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


def test_without_bf16_an_auto_precision_is_told_to_be_fp32(new_job, monkeypatch):
    monkeypatch.setattr("workers.trainer.resolve._has_bf16", lambda device: False)
    job = new_job(2, compute={})
    job.attempt()
    told = "this device does not compute in bf16: training in fp32"
    assert job.messages().count(told) == 1
    assert job.resume(2).reason is StopReason.COMPLETED
    assert told not in job.messages(2)


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


def test_a_network_that_does_not_move_is_flagged_wherever_it_begins(new_job):
    """nano does not begin as bicubic; at a rate of nothing it stays where it was."""
    nano = {"type": "paragonsr2_nano"}
    job = new_job(60, network_g=nano, train__optim_g__lr=1e-12, train__ema_decay=0.0, val__val_freq=20)
    job.attempt()
    told = [text for text in job.messages() if "seems dead" in text]
    assert len(told) == 1
    assert "has not moved from" in told[0]
    assert sum("no more than bicubic interpolation" in text for text in job.messages()) == 1


def test_a_network_that_learns_is_neither_dead_nor_worse_than_bicubic(new_job):
    job = new_job(200, val__val_freq=10)
    job.attempt()
    assert not any("dead" in text or "no more than bicubic" in text for text in job.messages())


SILENT = [(0, "weight", (1, 3, 3, 3)), (0, "bias", 1), (2, "weight", (12, 1, 3, 3)), (2, "bias", 12)]


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


def test_an_unexpected_error_is_a_crash_with_a_traceback_in_the_log(new_job, monkeypatch, capfd):

    monkeypatch.setattr(WeightedLosses, "forward", lambda self, sr, hr: 1 / 0)
    outcome = new_job().attempt()
    assert outcome.reason is StopReason.CRASHED
    assert outcome.message == "ZeroDivisionError: division by zero"
    assert "Traceback" in capfd.readouterr().err


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


def test_the_whole_list_of_what_did_not_fit_is_in_the_attempts_log(new_job, capfd):
    first = new_job(10)
    model = first.run.path / first.attempt().export
    deep = {"type": "compact", "num_feat": 8, "num_conv": 5}
    path = {"path__pretrain_network_g": str(model), "path__strict_load_g": False}
    job = new_job(2, "deep", network_g=deep, **path)
    job.attempt()
    (told,) = [text for text in job.messages() if "tensors taken over" in text]
    assert "(all are named in the attempt's log)" in told
    printed = capfd.readouterr().out
    names = [name for name in job.tensors()[1] if name.startswith("model/body.")]
    last = max(names, key=lambda name: int(name.split(".")[1])).removeprefix("model/")
    assert last not in told
    assert printed.count(f"  missing: {last}\n") == 1


def test_without_validation_the_last_weights_are_exported(new_job):
    job = new_job(10, val__val_enabled=False)
    outcome = job.attempt()
    assert job.events("val") == []
    model = read_model(job.run.path / outcome.export)
    _, tensors = job.tensors()
    assert all(torch.equal(w, tensors[f"ema/{n}"]) for n, w in model.net.state_dict().items())
    assert not (job.run.export / "comparison.png").exists()
