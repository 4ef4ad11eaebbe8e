"""How much of the bare loop's speed does the product's trainer reach?

Whole processes, two lengths each; the difference of their CPU and wall times is the cost of the iterations
between, with start-up, decoding and export cancelled out. Rounds alternate; efficiency = bare / trainer.
Beside it the roof: a step can take no less than its floating-point operations at the rate of a large matrix
product, nor than its bytes at the rate of a copy, both measured here (benchmarks.step_cost counts them).

python -m benchmarks.trainer [--rounds 5]
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from pathlib import Path

import psutil
import torch

from benchmarks.machine import machine, timed, write
from benchmarks.step_cost import cost as step_cost
from srqueue.datasets import Registry, add_sample, dataset_ref, locate
from srqueue.run.folder import RunDir
from srqueue.settings import load_settings
from srqueue.spec.expand import expand
from srqueue.spec.job import JobSpec

SAME = {
    "compute": {"channels_last": True, "precision": "fp32", "threads": 1},
    "train": {
        "optim_g": {"type": "AdamW", "lr": 2e-4, "betas": [0.9, 0.99]},
        "losses": [{"type": "l1"}],
        "scheduler": {"type": "constant"},
        "ema_decay": 0.999,
        "grad_clip": False,
        "training_automations": {"enabled": False},
        "dynamic_loss_scheduling": {"enabled": False},
    },
}
"""Layout, precision, optimizer and loss of both: what is compared is the loops."""

WORK = {
    # The demo's own work.
    "compact 32x4, batch 8 x LQ 32, EMA": SAME | {"datasets": {"train": {"lq_size": 32, "batch_size": 8}}},
    # The footing on which four published trainers were measured (best CPU efficiency 0.57): 16 wide, 4 deep.
    "compact 16x4, batch 8 x LQ 64, no EMA": SAME
    | {
        "network_g": {"num_feat": 16, "num_conv": 4},
        "datasets": {"train": {"lq_size": 64, "batch_size": 8}},
        "train": SAME["train"] | {"ema_decay": 0.0},
    },
    "paragonsr2_nano, batch 4 x LQ 32, EMA": SAME
    | {
        "network_g": {"type": "paragonsr2_nano"},
        "datasets": {"train": {"lq_size": 32, "batch_size": 4}},
    },
}


def job(registry: Registry, work: dict, iterations: int) -> JobSpec:
    """The quick preset with `work` laid over it, without validation and saves in between."""
    lengths = {
        "train": {"total_iter": iterations, "warmup_iter": 10},
        "val": {"val_enabled": False},
        "logger": {"print_freq": 100, "save_checkpoint_seconds": 86400},
    }
    overrides = [("work", work), ("lengths", lengths)]
    return expand(dataset_ref(registry, "sample"), preset="quick", overrides=overrides).spec


def trainer_command(home: Path, name: str, spec: JobSpec, listings: dict, device: str) -> list[str]:
    """Prepares a run folder and returns what trains it."""
    run = RunDir(home / "runs" / name).create()
    run.spec_file.write_text(spec.model_dump_json())
    run.write_attempt(1, None, listings=listings, device=device, threads=1)
    return [sys.executable, "-m", "workers.trainer", str(run.path), "--token", "1"]


def bare_command(home: Path, name: str, spec: JobSpec, listings: dict, device: str) -> list[str]:
    """What trains the same in the barest way."""
    file = home / f"{name}.json"
    file.write_text(spec.model_dump_json())
    return [sys.executable, "-m", "benchmarks.bare_loop", str(file), listings["train"], device]


def cost(home: Path, name: str, make, registry: Registry, work: dict, lengths: tuple[int, int], device: str):
    """(CPU ms, wall ms) an iteration."""
    measured = []
    for n in lengths:
        spec = job(registry, work, n)
        command = make(home, f"{name}-{n}", spec, locate(registry, spec), device)
        measured.append(timed(command, os.environ | {"OMP_NUM_THREADS": "1"}))
    (cpu1, wall1, _), (cpu2, wall2, _) = measured
    steps = lengths[1] - lengths[0]
    return (cpu2 - cpu1) / steps * 1e3, (wall2 - wall1) / steps * 1e3


def roofs() -> tuple[float, float]:
    """(FLOP/s of a matrix product of 1024 x 1024 in fp32, bytes/s read and written by a copy), one thread."""
    torch.set_num_threads(1)
    a, b = torch.rand(1024, 1024), torch.rand(1024, 1024)
    big = torch.rand(64 << 20)  # 256 MiB, more than any cache
    out = torch.empty_like(big)
    product = min(timeit.repeat(lambda: a @ b, number=5, repeat=5)) / 5
    copied = min(timeit.repeat(lambda: out.copy_(big), number=1, repeat=5))
    return 2 * 1024**3 / product, 2 * big.nbytes / copied


def roof_of(spec: JobSpec, roof: tuple[float, float]) -> dict:
    """What a step asks for, and the least it can take by each roof, ms."""
    asked = step_cost(spec)
    return {
        "gflop_a_step": round(asked.flops / 1e9, 2),
        "megabytes_a_step": round(asked.moved / 1e6),
        "kernels_a_step": asked.launches,
        "least_ms_by_flop": round(asked.flops / roof[0] * 1e3, 2),
        "least_ms_by_bytes": round(asked.moved / roof[1] * 1e3, 2),
    }


def peak_mib(command: list[str]) -> float:
    """The most resident memory of a process that is run alone."""
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    peak = 0
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            peak = max(peak, process.memory_info().rss)
        time.sleep(0.05)
    return peak / 2**20


def main() -> None:
    """Measures every work on this machine's CPU and writes results/trainer.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lengths", type=int, nargs=2, default=(100, 500))
    args = parser.parse_args()
    now, figures, roof = machine(), {}, roofs()
    now["gflop_s_of_a_product"], now["gb_s_of_a_copy"] = (round(r / 1e9, 1) for r in roof)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ |= {"SRQUEUE_HOME": str(home), "SRQUEUE_DATASETS": str(home / "datasets.yaml")}
        add_sample(load_settings())
        registry = Registry(load_settings())
        for title, work in WORK.items():
            rows: dict[str, list[tuple[float, float]]] = {"bare": [], "trainer": []}
            for i in range(args.rounds):
                order = [("bare", bare_command), ("trainer", trainer_command)]
                for kind, make in order if i % 2 == 0 else order[::-1]:
                    name = f"{kind}-{len(figures)}-{i}"
                    rows[kind].append(cost(home, name, make, registry, work, tuple(args.lengths), "cpu"))
            spec = job(registry, work, args.lengths[0])
            peaks = {
                kind: round(
                    peak_mib(make(home, f"peak-{kind}-{len(figures)}", spec, locate(registry, spec), "cpu"))
                )
                for kind, make in order
            }
            pairs = list(zip(rows["bare"], rows["trainer"], strict=True))
            figures[title] = {
                "bare_cpu_ms_per_iteration": round(statistics.median(b[0] for b, _ in pairs), 2),
                "trainer_cpu_ms_per_iteration": round(statistics.median(t[0] for _, t in pairs), 2),
                "efficiency_cpu_median": round(statistics.median(b[0] / t[0] for b, t in pairs), 3),
                "efficiency_cpu_rounds": [round(b[0] / t[0], 3) for b, t in pairs],
                "bare_it_per_s": round(1e3 / statistics.median(b[1] for b, _ in pairs), 1),
                "trainer_it_per_s": round(1e3 / statistics.median(t[1] for _, t in pairs), 1),
                "efficiency_wall_median": round(statistics.median(b[1] / t[1] for b, t in pairs), 3),
                "peak_mib": peaks,
                "roof": roof_of(spec, roof),
            }
            print(json.dumps({title: figures[title]}, indent=2))
    lengths = " ".join(map(str, args.lengths))
    write("trainer", f"python -m benchmarks.trainer --rounds {args.rounds} --lengths {lengths}", figures, now)


if __name__ == "__main__":
    main()
