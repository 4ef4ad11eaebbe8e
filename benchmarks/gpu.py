"""How fast does the trainer run on this machine's GPU, against a bare loop of the same network?

Both eager, in bf16 and channels_last; whole processes of two lengths (see benchmarks.trainer).
python -m benchmarks.gpu [--rounds 3]
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.machine import machine, write
from benchmarks.trainer import bare_command, cost, trainer_command
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
}
BARE = {"compute": {"precision": "bf16", "channels_last": True}}


def main() -> None:
    """Writes results/gpu.json with the device's name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    if not torch.cuda.is_available():
        sys.exit("error: no CUDA device here\n  hint: run `make gpu-check` on a machine with one")
    properties = torch.cuda.get_device_properties(0)
    now = machine() | {"gpu": properties.name, "gpu_memory_gib": round(properties.total_memory / 2**30, 1)}
    figures = {}
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
            }
    write("gpu", f"python -m benchmarks.gpu --rounds {rounds}", figures, now)


if __name__ == "__main__":
    main()
