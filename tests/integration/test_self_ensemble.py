"""Self-ensemble: measured apart at the end of a run, and used by upscale."""

import json

import pytest
from PIL import Image, ImageChops

from srqueue.cli.show import _ensemble
from workers.trainer.model_file import read_model
from workers.upscale import main as upscale_main

KEYS = {"ensemble/psnr", "ensemble/ssim", "ensemble/psnr_rgb"}


@pytest.fixture
def job(new_job):
    return new_job(40, "ensemble", val__self_ensemble=True)


def test_it_is_reported_apart_and_changes_no_other_figure(job, new_job):
    plain, ensemble = new_job(40, "plain").attempt(), job.attempt()
    assert not KEYS & plain.metrics.keys()
    apart = {key: value for key, value in ensemble.metrics.items() if key not in {*KEYS, "seconds", "kwh"}}
    assert apart == {key: value for key, value in plain.metrics.items() if key not in ("seconds", "kwh")}
    assert ensemble.metrics.keys() >= KEYS
    assert ensemble.metrics["ensemble/psnr"] != ensemble.metrics["best/psnr"]
    assert abs(ensemble.metrics["ensemble/psnr"] - ensemble.metrics["best/psnr"]) < 1
    told = json.loads((job.run.export / "metrics.json").read_text())["metrics"]
    in_model = read_model(job.run.path / ensemble.export).metrics
    for key in KEYS:
        assert told[key] == in_model[key] == ensemble.metrics[key]
    assert not any(KEYS & event["data"].keys() for event in job.events("val"))


def test_show_prints_it_where_it_was_measured():
    assert _ensemble({"val/psnr": 31.0}) is None
    assert _ensemble({"ensemble/psnr": 31.416, "ensemble/ssim": 0.89114}) == (
        "31.42 dB, SSIM 0.8911, by self-ensemble (eight passes)"
    )


def test_upscale_takes_it_on_request(job, own_pictures, tmp_path):
    model = job.run.path / job.attempt().export
    call = [str(model), str(own_pictures / "a.png"), "--device", "cpu"]
    assert upscale_main([*call, str(tmp_path / "plain.png")]) == 0
    assert upscale_main([*call, str(tmp_path / "mean.png"), "--self-ensemble"]) == 0
    with Image.open(tmp_path / "plain.png") as plain, Image.open(tmp_path / "mean.png") as mean:
        assert plain.size == mean.size
        difference = max(high for _, high in ImageChops.difference(plain, mean).getextrema())
    assert 0 < difference < 64
