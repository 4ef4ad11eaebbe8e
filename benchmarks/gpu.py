"""How fast does the trainer run on this machine's GPU, against a bare loop of the same network?

Both eager, in bf16 and channels_last; whole processes of two lengths (see benchmarks.trainer). Beside it
what the device alone does (the trainer's step on a batch that never changes: eager and exact, and in the fast
mode, compiled with CUDA graphs), and which part of the measured copy bandwidth its bytes are.
python -m benchmarks.gpu [--rounds 3]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.machine import machine, write
from benchmarks.step_cost import cost as step_cost
from benchmarks.trainer import SAME, bare_command, cost, job, trainer_command
from srqueue.datasets import Registry, add_sample
from srqueue.settings import load_settings

WORK = {
    "compact 32x4, batch 8 x LQ 32 (quick)": ({}, (300, 2300)),
    "compact 32x4, batch 16 x LQ 64": (
        {"datasets": {"train": {"lq_size": 64, "batch_size": 16}}},
        (300, 2300),
    ),
    "paragonsr2_nano, batch 16 x LQ 64, L1": (
        {"network_g": {"type": "paragonsr2_nano"}, "datasets": {"train": {"lq_size": 64, "batch_size": 16}}},
        (100, 600),
    ),
    "paragonsr2_nano, batch 16 x LQ 128, L1": (
        {"network_g": {"type": "paragonsr2_nano"}, "datasets": {"train": {"lq_size": 128, "batch_size": 16}}},
        (100, 400),
    ),
}
BARE = {"compute": {"precision": "bf16", "channels_last": True}, "train": SAME["train"]}


def copy_bandwidth() -> float:
    """Bytes read and written a second by a copy of 1 GiB on the device."""
    source = torch.empty(1 << 28, device="cuda")
    target = torch.empty_like(source)
    seconds = []
    for _ in range(10):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        target.copy_(source)
        end.record()
        end.synchronize()
        seconds.append(begin.elapsed_time(end) / 1e3)
    return 2 * source.nbytes / min(seconds)


def device_only(registry: Registry, work: dict, bandwidth: float) -> dict:
    """Rates of the step alone, by mode, and what it asks of the device."""
    found: dict = {}
    for mode, compute in (("exact", {}), ("fast, compiled", {"mode": "fast", "compile": True})):
        spec = job(registry, work | BARE | {"compute": BARE["compute"] | compute}, 1000)
        given = {"specs": [spec.model_dump(mode="json")], "device": "cuda:0", "seconds": 10}
        argv = [sys.executable, "-m", "workers.speed"]
        done = subprocess.run(argv, input=json.dumps(given), capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            sys.exit(done.stderr)
        result = json.loads(done.stdout.splitlines()[-1])["results"][0]
        found[mode] = {key: result[key] for key in ("it_s", "peak_bytes", "error") if key in result}
    asked = step_cost(job(registry, work | SAME, 1000))
    moved = asked.moved / 2  # counted in fp32, and computed in bf16
    share = moved * found["exact"]["it_s"] / bandwidth if "it_s" in found["exact"] else None
    return found | {
        "kernels_a_step": asked.launches,
        "megabytes_a_step_in_bf16": round(moved / 1e6),
        "share_of_the_copy_bandwidth": share and round(share, 3),
    }


def main() -> None:
    """Writes results/gpu.json with the device's name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    if not torch.cuda.is_available():
        sys.exit("error: no CUDA device here\n  hint: run `make gpu-check` on a machine with one")
    properties = torch.cuda.get_device_properties(0)
    now = machine() | {"gpu": properties.name, "gpu_memory_gib": round(properties.total_memory / 2**30, 1)}
    figures, bandwidth = {}, copy_bandwidth()
    now["copy_gb_per_s"] = round(bandwidth / 1e9, 1)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ |= {"SRQUEUE_HOME": folder, "SRQUEUE_DATASETS": str(home / "datasets.yaml")}
        add_sample(load_settings())
        registry = Registry(load_settings())
        for title, (work, lengths) in WORK.items():
            pairs = []
            for i in range(rounds):
                names = [f"{kind}-{len(figures)}-{i}" for kind in ("bare", "trainer")]
                bare = cost(home, names[0], bare_command, registry, work | BARE, lengths, "cuda:0")
                ours = cost(home, names[1], trainer_command, registry, work | BARE, lengths, "cuda:0")
                pairs.append((bare[1], ours[1]))
            figures[title] = {
                "bare_it_per_s": round(1e3 / statistics.median(b for b, _ in pairs), 1),
                "trainer_it_per_s": round(1e3 / statistics.median(t for _, t in pairs), 1),
                "efficiency_wall_median": round(statistics.median(b / t for b, t in pairs), 3),
                "efficiency_wall_rounds": [round(b / t, 3) for b, t in pairs],
                "device_only": device_only(registry, work, bandwidth),
            }
    write("gpu", f"python -m benchmarks.gpu --rounds {rounds}", figures, now)


if __name__ == "__main__":
    main()
