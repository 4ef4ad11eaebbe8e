"""TensorBoard, W&B and MLflow: what they are given, read back from what they wrote."""

import importlib.util
import json
import subprocess
import sys

import pytest

from srqueue.errors import UsageError
from srqueue.report import tensorboard
from srqueue.report.png import png
from srqueue.report.tensorboard import write_tensorboard


def scalars(folder):
    """(tag, step) -> value of every scalar in TensorBoard's files."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for file in folder.glob("events.out.tfevents.*"):
        raw = file.read_bytes()
        while raw:
            size = int.from_bytes(raw[:8], "little")
            event = Event.FromString(raw[12 : 12 + size])
            found |= {
                (v.tag, event.step): v.simple_value for v in event.summary.value if not v.HasField("tensor")
            }
            raw = raw[16 + size :]
    return found


def test_tensorboard_has_every_point_of_the_curves(subject, tmp_path):
    made = subject(figures={"best/psnr": 30.0})
    for _ in range(2):  # the second call takes the place of the first
        folder = write_tensorboard(made, tmp_path / "tensorboard")
    found = scalars(folder)
    curve = made.history.curves["val/psnr"]
    assert [found["val/psnr", it] for it in curve.it] == pytest.approx(curve.values)
    assert found["final/best/psnr", 12000] == pytest.approx(30.0)
    assert len(list(folder.iterdir())) == 1 and list(tmp_path.iterdir()) == [folder]


def test_what_is_not_installed_is_named_with_its_extra(subject, tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="tensorboardX") as refused:
        write_tensorboard(subject(), tmp_path / "x")
    assert "srqueue[tensorboard]" in refused.value.hint
    monkeypatch.setattr("srqueue.report.png.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="matplotlib") as refused:
        png([subject()])
    assert "srqueue[plot]" in refused.value.hint


def test_a_png_of_two_jobs_whose_names_are_no_mathematics(subject):
    assert png([subject("a$b"), subject("_c")], "hours").startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="no figures to draw"):
        png([subject(events=[])])


def logged(code, run, tmp_path, **env):
    """What a fresh Python prints: the libraries keep state, and threads, of their own."""
    head = (
        "import sys, json\nfrom pathlib import Path\nfrom srqueue.run.folder import RunDir\n"
        "from srqueue.report.folders import from_folder\nmade = from_folder(RunDir(Path(sys.argv[1])))\n"
        "folder = Path(sys.argv[2])\n"
    )
    import os

    done = subprocess.run(
        [sys.executable, "-c", head + code, run, tmp_path],
        capture_output=True, text=True, timeout=120,
        env={k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "MLFLOW_"))} | env,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def run(tmp_path, told, subject):
    """A run folder with events and a spec, as a trainer leaves it."""
    run = tmp_path / "runs" / "01J00000000000000000000001"
    (run / "attempts" / "1").mkdir(parents=True)
    (run / "spec.json").write_text(json.dumps(subject().spec))
    lines = [event.line() for event in told(12, lambda hour: 27.0 + hour / 4)]
    (run / "attempts" / "1" / "events.jsonl").write_text("\n".join(lines) + "\n")
    return run


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="wandb is not installed (extra wandb)")
def test_wandb_without_a_key_is_an_offline_run(run, tmp_path):
    out = logged("from srqueue.report.wandb import to_wandb\nprint(to_wandb(made, folder))", run, tmp_path)
    assert out.startswith("an offline run: ")
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    (file,) = folder.glob("*.wandb")
    assert b"val/psnr" in file.read_bytes() and b"manual_seed" in file.read_bytes()


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="no MLflow here (extra mlflow)")
def test_mlflow_without_a_server_writes_files(run, tmp_path):
    code = "from srqueue.report.mlflow import to_mlflow\nprint(to_mlflow(made, folder / 'ml'))"
    assert "of experiment srqueue" in logged(code, run, tmp_path)
    (curve,) = (tmp_path / "ml").glob("*/*/metrics/val/psnr")
    last = curve.read_text().splitlines()[-1].split()
    assert (float(last[1]), int(last[2])) == (30.0, 12000)
    (seed,) = (tmp_path / "ml").glob("*/*/params/manual_seed")
    assert seed.read_text() == "7"
