"""What does it cost a training that its checkpoints are uploaded beside it?

The same run with and without the uploader, in turns, to a real S3 server on this machine (`rclone serve s3`,
so its work is counted, too). A checkpoint is saved every few seconds: many times as often as usual.
python -m benchmarks.upload [--rounds 4] [--seconds 15]
"""

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from benchmarks.machine import machine, write
from srqueue.remote.pending import Pending
from srqueue.remote.root import remote_root_id
from srqueue.run.events import Event, read_events
from srqueue.run.folder import AttemptDir, RunDir
from srqueue.run.listing import Listing, Picture, identity_of
from srqueue.spec.job import JobSpec
from tests.conftest import Server, wait_until
from tests.faults.s3 import S3Server

EVERY = 5
"""Seconds between two checkpoints; usual are 60 to 120."""
JOB = "01K0000000000000000000000{}"


def listing_of(folder: Path) -> tuple[Path, str]:
    """Four pictures of noise, and their listing."""
    found = []
    for i in range(4):
        file = folder / f"{i}.png"
        Image.fromarray(np.random.default_rng(i).integers(0, 255, (96, 96, 3), np.uint8)).save(file)
        stat, digest = file.stat(), hashlib.sha256(file.read_bytes()).hexdigest()
        found.append(Picture(file.name, 96, 96, stat.st_size, stat.st_mtime_ns, digest, held_out=i == 0))
    identity = identity_of(tuple(found), None)
    path = folder / "noise.json"
    Listing("noise", identity, str(folder), None, None, tuple(found), {}).write(path)
    return path, identity


def spec_of(identity: str) -> JobSpec:
    """A network whose checkpoint takes some 12 MB; it trains until it is ended."""
    data = {"name": "noise", "identity": identity}
    return JobSpec.model_validate(
        {
            "name": "upload", "scale": 2, "network_g": {"type": "compact", "num_feat": 64, "num_conv": 16},
            "datasets": {"train": {**data, "lq_size": 24, "batch_size": 4}, "val": data},
            "train": {"total_iter": 1_000_000, "optim_g": {"lr": 1e-4}},
            "val": {"val_freq": 1_000_000},
            "logger": {"print_freq": 5, "save_checkpoint_seconds": EVERY},
            "compute": {"device": "cpu", "precision": "fp32", "channels_last": False, "threads": 1},
        }
    )  # fmt: skip


def train(run: RunDir, listing: Path, spec: JobSpec, seconds: float) -> tuple[float, float]:
    """Iterations a second from the first checkpoint on, and a CPU second of the trainer."""
    run.create()
    run.spec_file.write_text(spec.model_dump_json())
    both = {"train": str(listing), "val": str(listing)}
    attempt = run.write_attempt(1, None, listings=both, device="cpu", threads=1)
    argv = [sys.executable, "-m", "workers.trainer", str(run.path), "--token", "1"]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    with attempt.log_file.open("wb") as log:
        child = subprocess.Popen(argv, stdout=log, stderr=log, env=env)
    try:
        wait_until(lambda: run.checkpoint_names() or child.poll() is not None, "it trains", 120)
        begun, process = newest(attempt), psutil.Process(child.pid)
        before = sum(process.cpu_times()[:2])
        time.sleep(seconds)
        cpu, end = sum(process.cpu_times()[:2]) - before, newest(attempt)
    finally:
        child.kill()
        child.wait()
    return (end.it - begun.it) / (end.t - begun.t), (end.it - begun.it) / cpu


def newest(attempt: AttemptDir) -> Event:
    """The newest report of a trainer."""
    return [e for e, _ in read_events(attempt.events_file) if e.kind == "train"][-1]


def uploading(body) -> tuple[tuple[float, float], float]:
    """What `body` returns, and the CPU seconds of the uploader meanwhile."""
    child = subprocess.Popen([sys.executable, "-m", "workers.uploader"], stdin=subprocess.PIPE)
    try:
        time.sleep(3)  # its imports are not what is measured
        process = psutil.Process(child.pid)
        before = sum(process.cpu_times()[:2])
        rate = body()
        cpu = sum(process.cpu_times()[:2]) - before
    finally:
        child.kill()
        child.wait()
    return rate, cpu


def main() -> None:
    """Writes results/upload.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=15)
    args = parser.parse_args()
    now, rates, cpu, sent, saved = machine(), {"with": [], "without": []}, [], [], 0
    s3, valkey = S3Server(wait_until).start(), Server().start()
    folder = Path(tempfile.mkdtemp(prefix="srq-upload-"))
    runs = folder / "runs"
    os.environ |= {
        **s3.environment, "SRQUEUE_REDIS_URL": valkey.url, "SRQUEUE_RUNS": str(runs),
        "SRQUEUE_HOME": str(folder), "SRQUEUE_REMOTE": s3.url,
    }  # fmt: skip
    try:
        root_id = remote_root_id(s3.url, runs)
        (folder / "data").mkdir()
        listing, identity = listing_of(folder / "data")
        spec = spec_of(identity)
        for number in range(args.rounds):
            for how in ("without", "with") if number % 2 else ("with", "without"):
                run = RunDir(runs / JOB.format("ABCDEFGH"[number] if how == "with" else "JKMNPQRS"[number]))
                if how == "without":
                    rates[how].append(train(run, listing, spec, args.seconds))
                    continue
                run.create()
                Pending.below(runs).add(run.job_id, 1, root_id)
                before = stored(s3.folder)
                rate, used = uploading(lambda run=run: train(run, listing, spec, args.seconds))
                rates[how].append(rate)
                cpu.append(used)
                sent.append((stored(s3.folder) - before) / 1e6)
                saved = max(saved, *(n.stat().st_size for n in run.checkpoints.glob("*/state.safetensors")))
            print({how: values[-1] for how, values in rates.items()}, flush=True)
    finally:
        s3.close()
        valkey.close()
        shutil.rmtree(folder, ignore_errors=True)
    pairs = list(zip(rates["with"], rates["without"], strict=True))
    ratios, by_cpu = [a[0] / b[0] for a, b in pairs], [a[1] / b[1] for a, b in pairs]
    per_mb = sum(cpu) / sum(sent)
    found = {
        "rounds": args.rounds, "seconds": args.seconds, "checkpoint_mb": round(saved / 1e6, 1),
        "checkpoint_every_s": EVERY, "it_per_s": {how: [round(v, 2) for v, _ in rates[how]] for how in rates},
        "with_over_without": [round(r, 3) for r in ratios],
        "with_over_without_median": round(statistics.median(ratios), 3),
        "with_over_without_in_cpu_time": [round(r, 3) for r in by_cpu],
        "with_over_without_in_cpu_time_median": round(statistics.median(by_cpu), 3),
        "uploaded_mb": [round(mb, 1) for mb in sent], "uploader_cpu_s_per_mb": round(per_mb, 4),
        # What is left of one core, where 100 MB are uploaded a minute.
        "share_of_a_core_at_100_mb_a_minute": round(per_mb * 100 / 60, 4),
    }  # fmt: skip
    print(found)
    write(
        "upload", f"python -m benchmarks.upload --rounds {args.rounds} --seconds {args.seconds:g}", found, now
    )


def stored(folder: Path) -> int:
    """Bytes in the S3 server's folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    main()
