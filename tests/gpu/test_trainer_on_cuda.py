"""The trainer on CUDA, as real processes: it gains, resumes exactly, and says what it ran on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from srqueue.datasets import Registry, add_sample, dataset_ref, locate
from srqueue.run.events import read_events
from srqueue.run.folder import CheckpointName, RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.settings import Settings
from srqueue.spec.expand import expand
from workers.trainer import checkpoint

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here; run: make gpu-check"),
    pytest.mark.timeout(280),
]

NETWORKS = {
    "compact": {},
    "paragonsr2_nano": {"train": {"losses": [{"type": "l1"}, {"type": "ssim", "loss_weight": 0.05}]}},
}


@pytest.fixture(scope="session")
def registry(tmp_path_factory) -> Registry:
    """The sample data set, registered in a folder of its own."""
    home = tmp_path_factory.mktemp("gpu")
    settings = Settings(home=home, datasets=home / "datasets.yaml")
    add_sample(settings)
    return Registry(settings)


class Job:
    """A run folder, and trainer processes on it."""

    def __init__(self, folder: Path, registry: Registry, architecture: str, total: int) -> None:
        short = {
            "train": {"total_iter": total},
            "val": {"val_freq": total // 4},
            "logger": {"print_freq": 10},
        }
        overrides = [("network", NETWORKS[architecture]), ("short", short)]
        ref = dataset_ref(registry, "sample")
        self.spec = expand(ref, preset="quick", architecture=architecture, overrides=overrides).spec
        self.listings = locate(registry, self.spec)
        self.run = RunDir(folder).create()
        self.run.spec_file.write_text(self.spec.model_dump_json())

    def start(self, token: int, resume: CheckpointName | None = None) -> subprocess.Popen:
        self.run.write_attempt(token, resume, listings=self.listings, device="cuda:0", threads=2)
        command = [sys.executable, "-m", "workers.trainer", str(self.run.path), "--token", str(token)]
        log = self.run.attempt(token).log_file.open("w")
        return subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"PYTHONUNBUFFERED": "1"})

    def train(self, token: int = 1, resume: CheckpointName | None = None) -> Outcome:
        process = self.start(token, resume)
        assert process.wait(timeout=240) == 0, self.run.attempt(token).log_file.read_text()[-3000:]
        return Outcome.read(self.run.attempt(token).outcome_file)

    def events(self, token: int, kind: str) -> list[dict]:
        return [e.data for e, _ in read_events(self.run.attempt(token).events_file) if e.kind == kind]

    def newest(self) -> dict[str, torch.Tensor]:
        return checkpoint.read(self.run.checkpoints / str(self.run.checkpoint_names()[-1]))[1]


@pytest.mark.parametrize("architecture", NETWORKS)
def test_a_training_on_cuda_gains_over_bicubic_and_names_its_device(tmp_path, registry, architecture):
    job = Job(tmp_path / "job", registry, architecture, 1200)
    outcome = job.train()
    assert outcome.reason is StopReason.COMPLETED
    assert outcome.metrics["best/psnr"] > outcome.metrics["bicubic/psnr"] + 0.3
    (marks,) = job.events(1, "fingerprint")
    assert "cuda" in json.dumps(marks)
    card = {key for report in job.events(1, "train") for key in report if key.startswith("gpu_")}
    assert card == {"gpu_util", "gpu_mib", "gpu_watts", "gpu_celsius"}
    resolved = json.loads(job.run.resolved_file.read_text())
    assert resolved["compute"]["device"] == "cuda"
    wanted = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    assert resolved["compute"]["precision"] == wanted


@pytest.mark.parametrize("architecture", NETWORKS)
def test_the_mean_over_pictures_on_cuda_is_the_best_value_to_the_last_digit(tmp_path, registry, architecture):
    job = Job(tmp_path / "job", registry, architecture, 200)
    best = job.train().metrics["best/psnr"]
    told = json.loads((job.run.export / "metrics.json").read_text())
    assert float(np.mean([picture["psnr_y"] for picture in told["pictures"]])) == best
    assert told["inference"]["device"] == torch.cuda.get_device_name(0)
    assert told["inference"]["ms_per_megapixel"] > 0


@pytest.mark.parametrize("architecture", NETWORKS)
def test_a_killed_training_on_cuda_ends_with_the_bits_of_an_unbroken_one(tmp_path, registry, architecture):
    unbroken = Job(tmp_path / "unbroken", registry, architecture, 800)
    unbroken.train()

    broken = Job(tmp_path / "broken", registry, architecture, 800)
    process = broken.start(1)
    deadline = time.monotonic() + 120
    while not broken.run.checkpoint_names() and time.monotonic() < deadline:
        time.sleep(0.01)
    saved = broken.run.checkpoint_names()
    assert saved, "a checkpoint was committed before the kill"
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was killed, not finished"
    outcome = broken.train(2, broken.run.checkpoint_names()[-1])

    assert outcome.iteration == 800
    assert broken.events(2, "phase")[0]["phase"] == "restored"
    ours, theirs = broken.newest(), unbroken.newest()
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
