"""`srqueue demo`, to its end: what `make demo` does after installing."""

import json
import os
import re
import subprocess
import sys

import pytest
from PIL import Image
from safetensors import safe_open


@pytest.mark.timeout(600)
def test_the_demo_gains_two_decibels_and_leaves_nothing_running(tmp_path):
    home = tmp_path / "home"
    env = {k: v for k, v in os.environ.items() if not k.startswith("SRQUEUE_")}
    env |= {"SRQUEUE_HOME": str(home), "SRQUEUE_DATASETS": str(tmp_path / "datasets.yaml")}
    cli = [sys.executable, "-m", "srqueue.cli"]
    done = subprocess.run([*cli, "demo"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr

    shown = dict(re.findall(r"^(model|comparison|run folder|Flower) +(\S+)", done.stdout, re.M))
    assert shown.keys() == {"model", "comparison", "run folder", "Flower"}
    gain = float(re.search(r"^PSNR-Y .* ([+-][\d.]+) dB", done.stdout, re.M)[1])
    metrics = json.loads((home / shown["run folder"] / "export" / "metrics.json").read_text())["metrics"]
    assert gain == pytest.approx(metrics["best/psnr"] - metrics["bicubic/psnr"], abs=0.006)
    assert metrics["bicubic/psnr"] == pytest.approx(31.14, abs=0.02), "the mean of 31.70 and 30.58 dB"
    assert gain >= 2.0
    with safe_open(shown["model"], "pt") as model:
        assert model.metadata()["architecture"] == "compact"
    with Image.open(shown["comparison"]) as picture:
        assert picture.width > 2 * picture.height / 3

    status = subprocess.run([*cli, "status", "--json"], env=env, capture_output=True, text=True)
    assert {s["state"] for s in json.loads(status.stdout)} <= {"stopped"}, status.stdout
