"""The paper's table, measured: iterations, hours, PSNR and stop reason of its presets, run in full.

Trains on T91 + BSDS200 with a held-out share for validation, as a user would, and measures Set5, Set14 and
B100 with the exported model. A run that the time limit cuts is paused and gone on with by the next call with
the same --home. Meant for a GPU; a CPU needs days, or --share 0.01 to try it.

python -m benchmarks.paper --data FOLDER [--device cuda:0] [--home DIR] [--limit SECONDS] [--share 1.0]
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import torch

from benchmarks.machine import machine, write
from benchmarks.quality import TESTS, validators
from srqueue.datasets import Registry, add, dataset_ref, locate
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.settings import load_settings
from srqueue.spec.expand import expand
from srqueue.spec.job import JobSpec, spec_id
from workers.trainer.model_file import read_model

ARCHITECTURES = ("compact", "paragonsr2_nano")
PRESETS = ("convenience", "fidelity", "max-fidelity", "tuned")

SAVING = 120
"""Seconds for a run that was asked to pause; after them it goes on from the checkpoint before."""


def spec_of(registry: Registry, architecture: str, preset: str, share: float) -> JobSpec:
    """The preset as it stands, or that share of its iterations."""
    ref = dataset_ref(registry, "train")
    full = expand(ref, preset=preset, architecture=architecture).spec
    if share >= 1:
        return full
    fewer = {"train": {"total_iter": max(100, int(full.train.total_iter * share))}}
    return expand(ref, preset=preset, architecture=architecture, overrides=[("share", fewer)]).spec


def go_on(run: RunDir, spec: JobSpec, listings: dict, device: str, limit: float) -> Outcome | None:
    """One attempt from the newest checkpoint, at most `limit` seconds; its outcome."""
    run.create()
    if not run.spec_file.exists():
        run.spec_file.write_text(spec.model_dump_json())
    names = run.checkpoint_names()
    token = run.highest_token() + 1
    attempt = run.write_attempt(
        token, names[-1] if names else None, listings=listings, device=device, threads=1
    )
    command = [sys.executable, "-m", "workers.trainer", str(run.path), "--token", str(token)]
    with attempt.log_file.open("ab") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"})
        try:
            child.wait(limit)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(SAVING)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
    return Outcome.read(attempt.outcome_file)


def finished(run: RunDir) -> Outcome | None:
    """The outcome of an earlier attempt that ended the run."""
    if not run.path.is_dir():
        return None
    for attempt in run.attempts():
        outcome = Outcome.read(attempt.outcome_file)
        if outcome and outcome.export:
            return outcome
    return None


def figures_of(run: RunDir, spec: JobSpec, outcome: Outcome, tests: dict) -> dict:
    """One row of the table."""
    row = {
        "stopped": outcome.reason.value,
        "iterations": outcome.iteration,
        "of": spec.train.total_iter,
        "hours": round(outcome.metrics.get("seconds", 0) / 3600, 3),
        "held_out_psnr": round(outcome.metrics.get("best/psnr", 0), 3),
    }
    if outcome.reason is not StopReason.COMPLETED:
        row["message"] = outcome.message
    if outcome.export:
        net = read_model(run.path / outcome.export).net
        for test, validator in tests.items():
            found = validator.network(net)
            row[test] = [round(found["val/psnr"], 3), round(found["val/ssim"], 4)]
    return row


def main() -> None:
    """Writes results/paper-<device>.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds train/ and test/{Set5,Set14,B100}/")
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--home", type=Path, help="run folders, kept for the next call")
    parser.add_argument("--limit", type=float, default=float("inf"), help="seconds for all of it")
    parser.add_argument("--share", type=float, default=1.0, help="share of each preset's iterations")
    args = parser.parse_args()
    begun, now, table = time.monotonic(), machine(), {}
    if args.device.startswith("cuda"):
        now["gpu"] = torch.cuda.get_device_name(args.device)
    label = "gpu" if args.device.startswith("cuda") else "cpu"
    command = f"python -m benchmarks.paper --data FOLDER --device {args.device} --share {args.share:g}"
    with tempfile.TemporaryDirectory() as temporary:
        home = (args.home or Path(temporary)).absolute()
        os.environ |= {"SRQUEUE_HOME": str(home), "SRQUEUE_DATASETS": str(home / "datasets.yaml")}
        settings = load_settings()
        for name, folder in {"train": "train", **{t: f"test/{t}" for t in TESTS}}.items():
            add(settings, name, args.data / folder)
        registry = Registry(settings)
        tests = validators(registry)
        for architecture, preset in product(ARCHITECTURES, PRESETS):
            left = args.limit - (time.monotonic() - begun)
            spec = spec_of(registry, architecture, preset, args.share)
            run = RunDir(home / "runs" / f"{architecture}-{preset}-{spec_id(spec)[:8]}")
            outcome = finished(run)
            if outcome is None and left > 30:
                seconds = None if left == float("inf") else left
                outcome = go_on(run, spec, locate(registry, spec), args.device, seconds)
            if outcome:
                table[f"{architecture} {preset}"] = figures_of(run, spec, outcome, tests)
                write(
                    f"paper-{label}", command, {"table": table}, now
                )  # hours are not lost with the last run
    if any(row["stopped"] == StopReason.CRASHED for row in table.values()):
        sys.exit("error: a run has crashed; its message stands in the table")


if __name__ == "__main__":
    main()
