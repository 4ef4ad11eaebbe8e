"""Training through the real command line, with and without the queue."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from srqueue.settings import Settings
from srqueue.stack.ports import next_free_port
from srqueue.stack.stack import Stack

# Small enough for seconds: crops of 16 pixels, a net of one layer.
SMALL = (
    *("--preset", "quick", "--set", "datasets.train.lq_size=8", "--set", "datasets.train.batch_size=2"),
    *("--set", "network_g.num_feat=4", "--set", "network_g.num_conv=1", "--set", "logger.print_freq=5"),
)


class Cli:
    """Runs srqueue in a home folder of its own."""

    def __init__(self, folder):
        self.port = next_free_port("127.0.0.1", 5800)
        self.settings = Settings(
            home=folder / "home", datasets=folder / "datasets.yaml", flower_port=self.port
        )
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("SRQUEUE_")} | {
            "SRQUEUE_HOME": str(self.settings.home),
            "SRQUEUE_DATASETS": str(self.settings.datasets),
            "SRQUEUE_FLOWER_PORT": str(self.port),
            "OMP_NUM_THREADS": "1",
        }

    def start(self, *args):
        return subprocess.Popen(
            [sys.executable, "-m", "srqueue.cli", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.env,
        )

    def __call__(self, *args, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "srqueue.cli", *args],
            capture_output=True,
            text=True,
            env=self.env,
            timeout=200,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done


@pytest.fixture(scope="module")
def cli(tmp_path_factory):
    cli = Cli(tmp_path_factory.mktemp("cli"))
    pictures = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for number in range(4):
        small = generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC).save(pictures / f"{number}.png")
    cli("dataset", "add", "tiny", "--hr", str(pictures))
    return cli


@pytest.fixture(scope="module")
def with_stack(cli):
    stack = Stack(cli.settings)
    cli("up", "--no-flower")
    yield cli
    stack.down()


@pytest.fixture
def spec(cli, tmp_path):
    def write(iterations):
        text = cli("submit", "tiny", *SMALL, "--iterations", str(iterations), "--dry-run").stdout
        file = tmp_path / f"spec{iterations}.yaml"
        file.write_text(text)
        return str(file)

    return write


def read_until(process, mark):
    seen = []
    for line in process.stdout:
        seen.append(line)
        if re.search(mark, line):
            return seen
    raise AssertionError(f"{mark!r} never came: {''.join(seen)}")


def test_a_spec_trains_without_a_queue_to_a_model_that_enlarges_pictures(cli, spec, tmp_path):
    done = cli("train", spec(20), "--run-dir", str(tmp_path / "run"))
    model = Path(done.stdout.splitlines()[-1])
    assert model.parent == tmp_path / "run" / "export"
    Image.new("RGB", (20, 10), "red").save(tmp_path / "in.png")
    cli("upscale", str(model), str(tmp_path / "in.png"), str(tmp_path / "out.png"))
    with Image.open(tmp_path / "out.png") as enlarged:
        assert enlarged.size == (40, 20)
    told = cli("export", str(model), str(tmp_path / "m.onnx")).stdout
    assert "onnxruntime and torch differ by at most" in told
    assert (tmp_path / "m.onnx").stat().st_size > 1000
    assert "already there" in cli("export", str(model), str(tmp_path / "m.onnx"), code=2).stderr


def test_ctrl_c_saves_and_the_same_call_goes_on(cli, spec, tmp_path):
    # Two specs of one length: the run folder belongs to the spec.
    long = spec(100_000)
    training = cli.start("train", long, "--run-dir", str(tmp_path / "run"))
    read_until(training, r"training   it [1-9]")
    training.send_signal(signal.SIGINT)
    rest, _ = training.communicate(timeout=60)
    assert training.returncode == 130, rest
    assert "--run-dir" in rest

    again = cli.start("train", long, "--run-dir", str(tmp_path / "run"))
    read_until(again, r"goes on from iteration [1-9]")
    again.send_signal(signal.SIGTERM)
    again.communicate(timeout=60)
    assert again.returncode == 130
    told = cli("train", spec(20), "--run-dir", str(tmp_path / "run"), code=2).stderr
    assert "another spec" in told


def trainers(run):
    return [
        p
        for p in psutil.process_iter(["cmdline"])
        if str(run) in (p.info["cmdline"] or []) and "workers.trainer" in p.info["cmdline"]
    ]


def alive(processes):
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("how", ["killed", "interrupted twice"])
def test_no_trainer_outlives_the_command_that_started_it(cli, spec, tmp_path, how):
    training = cli.start("train", spec(100_000), "--run-dir", str(tmp_path / "run"))
    read_until(training, r"training   it [1-9]")
    started = trainers(tmp_path / "run")
    assert started
    if how == "killed":
        training.kill()
    else:
        os.kill(started[0].pid, signal.SIGSTOP)  # it cannot heed the first
        training.send_signal(signal.SIGINT)
        read_until(training, "stopping")
        training.send_signal(signal.SIGINT)
    training.communicate(timeout=60)
    assert training.returncode == (-signal.SIGKILL if how == "killed" else 130)
    deadline = time.monotonic() + 20
    while alive(started):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_run_whose_checkpoints_are_all_set_aside_never_starts_at_0(cli, spec, tmp_path):
    run = tmp_path / "run"
    cli("train", spec(20), "--run-dir", str(run))
    for folder in (run / "checkpoints").iterdir():
        folder.rename(folder.with_name(f"bad-{folder.name}"))
    told = cli("train", spec(20), "--run-dir", str(run), code=1).stderr
    assert str(run / "checkpoints") in told
    assert "another --run-dir" in told
    assert [p.name for p in (run / "attempts").iterdir()] == ["1"]


def test_a_folder_with_other_things_in_it_is_not_trained_into(cli, spec, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("dear")
    told = cli("train", spec(20), "--run-dir", str(tmp_path / "thesis"), code=2).stderr
    assert "not empty and no run folder" in told


def test_submit_and_wait_shows_the_training_and_ends_with_its_result(with_stack):
    done = with_stack("submit", "tiny", *SMALL, "--iterations", "60", "--name", "waited", "--wait")
    assert re.search(r"it \d+/60 .* it/s .* PSNR .* \(bicubic ", done.stdout)
    assert done.stdout.splitlines()[-1].startswith("waited succeeded")
    record = json.loads(with_stack("show", "waited", "--json").stdout)
    assert list(Path(record["run_dir"]).glob("export/*.safetensors"))
    assert "bicubic" in with_stack("show", "waited").stdout

    lines = with_stack("logs", "waited").stdout.splitlines()
    assert any("  it      60  finished" in line for line in lines)
    events = [json.loads(line) for line in with_stack("logs", "waited", "--json").stdout.splitlines()]
    assert events[0]["data"]["phase"] == "started"

    with_stack("rm", "waited", "--files")
    assert not Path(record["run_dir"]).exists()


def test_a_running_job_is_followed_paused_resumed_and_cancelled(with_stack):
    cli = with_stack
    cli("submit", "tiny", *SMALL, "--iterations", "1000000", "--name", "steered")
    watching = cli.start("watch", "steered")
    read_until(watching, r"training   it [1-9]")
    assert "saves a checkpoint and pauses" in cli("pause", "steered").stdout
    assert watching.wait(60) == 1, "paused is not succeeded"
    watching.stdout.close()

    cli("resume", "steered")
    following = cli.start("logs", "-f", "steered")
    read_until(following, r"t2  it +\d+  restored")
    cli("cancel", "steered")
    following.communicate(timeout=60)
    assert following.returncode == 0
    record = json.loads(cli("show", "steered", "--json").stdout)
    assert record["state"] == "cancelled"
    assert list(Path(record["run_dir"]).glob("export/*.safetensors")), "its best weights are kept"


def test_down_hands_a_running_job_back_and_up_goes_on_with_it(cli):
    stack = Stack(cli.settings)
    cli("up", "--no-flower")
    try:
        cli("submit", "tiny", *SMALL, "--iterations", "1000000", "--name", "handed", "--seed", "5")
        watching = cli.start("watch", "handed")
        read_until(watching, r"training   it [1-9]")
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=30)
        assert "killed" not in cli("down").stdout
        cli("up", "--no-flower")
        following = cli.start("watch", "handed")
        read_until(following, r"training   it \d")
        record = json.loads(cli("show", "handed", "--json").stdout)
        assert (record["state"], record["attempts"], record["failures"]) == ("running", 2, 0)
        cli("cancel", "handed")
        following.communicate(timeout=60)
    finally:
        stack.down()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_stops_everything_it_started(tmp_path, number):
    cli = Cli(tmp_path)
    demo = cli.start("demo")
    read_until(demo, r"^queued compact_sample_quick|^starting   it|^queued  ")
    started = [psutil.Process(s.pid) for s in Stack(cli.settings).status()]
    demo.send_signal(number)
    rest, _ = demo.communicate(timeout=90)
    assert demo.returncode == 130, rest
    assert "is paused; go on with it" in rest
    deadline = time.monotonic() + 20
    while any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in started):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert {s.state for s in Stack(cli.settings).status()} == {"stopped"}
