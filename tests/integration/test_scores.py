"""What an export says of each validation picture, on the disk and in Redis."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from srqueue.queue.client import Client
from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState, StopReason
from srqueue.run.scores import read_scores
from srqueue.store.scores import stored_scores
from workers.trainer import scoring
from workers.trainer.stopping import StopRequest

WHOLE = {"datasets__val": {"name": "whole"}}
"""Validates on all three pictures."""


def figures(run):
    return json.loads((run.export / "metrics.json").read_text())


@pytest.mark.parametrize("channels_last", [False, True])
def test_the_mean_over_pictures_is_the_best_value_to_the_last_digit(new_job, channels_last):
    """Also where the last weights are not the best."""
    job = new_job(
        40, **WHOLE, train__ema_decay=0.9, val__val_freq=20, train__scheduler={"type": "constant"},
        train__optim_g={"type": "Adam", "lr": 0.05}, compute__channels_last=channels_last,
    )  # fmt: skip
    told = job.attempt().metrics
    pictures = figures(job.run)["pictures"]
    assert [p["name"] for p in pictures] == ["a.png", "b.png", "held_out.png"]
    means = {key: float(np.mean([p[key] for p in pictures])) for key in pictures[0] if key != "name"}
    assert means == {
        "psnr_y": told["best/psnr"], "ssim_y": told["best/ssim"], "psnr_rgb": told["best/psnr_rgb"],
        "bicubic_psnr_y": told["bicubic/psnr"], "bicubic_ssim_y": told["bicubic/ssim"],
        "bicubic_psnr_rgb": told["bicubic/psnr_rgb"],
    }  # fmt: skip


def test_the_network_and_its_pace_are_told(new_job):
    job = new_job(4)
    weights = load_file(job.run.path / job.attempt().export)
    told = figures(job.run)
    assert told["parameters"] == sum(weight.size for weight in weights.values())
    assert told["inference"]["ms_per_megapixel"] > 0 and told["inference"]["device"]
    scores = read_scores(job.run)
    assert (scores.parameters, scores.count, len(scores.pictures)) == (told["parameters"], 1, 1)


def test_a_slow_network_is_timed_once(monkeypatch):
    """The round that warms up is all there is time for."""
    rounds = []
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr(scoring, "super_resolve", lambda *_: rounds.append(1))
    monkeypatch.setattr(scoring.time, "monotonic", lambda: next(clock))
    scoring.ms_per_megapixel(None, 2, scoring.torch.device("cpu"))
    assert len(rounds) == 2


def test_a_request_to_stop_leaves_the_pictures_out(new_job):
    job, stop = new_job(8), StopRequest()
    job.attempt()
    stop.ask(StopReason.CANCELLED)
    (job.run.export / "metrics.json").unlink()
    again = job.resume(2, stop=stop)
    assert again.export and "pictures" not in figures(job.run)
    assert read_scores(job.run) is None


def test_a_figure_that_is_no_number_leaves_its_picture_out(tmp_path):
    run = RunDir(tmp_path).create()
    row = dict.fromkeys(["psnr_y", "ssim_y", "psnr_rgb"], 1.0)
    row |= {f"bicubic_{key}": value for key, value in row.items()}
    rows = [{"name": "a", **row}, {"name": "b", **row, "ssim_y": None}, "c", {"name": "d"}]
    (run.export / "metrics.json").write_text(json.dumps({"pictures": rows}))
    scores = read_scores(run)
    assert ([p.name for p in scores.pictures], scores.count) == (["a"], 4)
    (run.export / "metrics.json").write_text("{}")
    assert read_scores(run) is None


def test_redis_has_them_too_until_the_job_is_removed(
    settings, tiny_dataset, tiny_spec, start_worker, wait_until
):
    entry, client = tiny_dataset(settings), Client(settings)
    job = client.submit(tiny_spec(entry.identity, 20)).job
    start_worker()
    done = wait_until(lambda: (r := client.get(job.id)).state.final and r, "the job ends")
    assert done.state is JobState.SUCCEEDED
    found = stored_scores(client.store.connection, [job.id, "none"])
    assert found == {job.id: read_scores(RunDir(settings.runs_root / job.id))}
    assert found[job.id].pictures[0].psnr_y == done.metrics["best/psnr"]
    client.remove(job.id)
    assert stored_scores(client.store.connection, [job.id]) == {}
