"""How much sooner is one job done that two devices share, and what does sharing cost?

The same job on one CPU process and on two, of one thread each, or on one GPU and on several; whole processes
of two lengths (see benchmarks.trainer), in alternating rounds. Each iteration of two computes the samples of
one, so that the best that sharing can do is to halve its time.

python -m benchmarks.team [--device cuda --devices 2 --rounds 3 --lengths 100 400]
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import machine, write
from benchmarks.trainer import SAME, cost
from srqueue.datasets import Registry, add_sample
from srqueue.run.folder import RunDir
from srqueue.settings import load_settings
from srqueue.spec.job import JobSpec

WORK = {
    "compact 32x4, batch 16 x LQ 32": {"datasets": {"train": {"lq_size": 32, "batch_size": 16}}},
    "paragonsr2_nano, batch 16 x LQ 32": {
        "network_g": {"type": "paragonsr2_nano"},
        "datasets": {"train": {"lq_size": 32, "batch_size": 16}},
    },
}
"""From a network of few operations a parameter that is exchanged to one of many."""


def command(home: Path, name: str, spec: JobSpec, listings: dict, device: str) -> list[str]:
    """Prepares a run folder and returns what trains it on as many devices as the spec asks for."""
    run = RunDir(home / "runs" / name).create()
    run.spec_file.write_text(spec.model_dump_json())
    gpus = [f"{device}:{number}" for number in range(spec.compute.devices)]
    devices = gpus if device == "cuda" else ["cpu"] * spec.compute.devices
    run.write_attempt(1, None, listings=listings, device=devices[0], devices=devices, threads=1)
    return [sys.executable, "-m", "workers.trainer", str(run.path), "--token", "1"]


def main() -> None:
    """Alternates the two, and writes results/team.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lengths", type=int, nargs=2, default=(100, 400))
    args = parser.parse_args()
    now, figures = machine(), {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ |= {"SRQUEUE_HOME": folder, "SRQUEUE_DATASETS": str(home / "datasets.yaml")}
        add_sample(load_settings())
        registry = Registry(load_settings())
        for title, changed in WORK.items():
            rows: dict[int, list[tuple[float, float]]] = {1: [], args.devices: []}
            for number in range(args.rounds):
                for devices in sorted(rows, reverse=number % 2 == 1):
                    compute = {**SAME["compute"], "devices": devices}
                    work = {**SAME, **changed, "compute": compute}
                    name = f"{len(figures)}-{number}-{devices}"
                    lengths = tuple(args.lengths)
                    rows[devices].append(cost(home, name, command, registry, work, lengths, args.device))
            figures[title] = told(rows[1], rows[args.devices])
    words = f"--device {args.device} --devices {args.devices} --rounds {args.rounds}"
    lengths = " ".join(map(str, args.lengths))
    name = "team" if args.device == "cpu" else "team_gpu"
    write(name, f"python -m benchmarks.team {words} --lengths {lengths}", figures, now)


def told(one: list[tuple[float, float]], many: list[tuple[float, float]]) -> dict:
    """Medians, and the ranges of ratios at equal rounds."""
    faster = [a[1] / b[1] for a, b in zip(one, many, strict=True)]
    dearer = [b[0] / a[0] for a, b in zip(one, many, strict=True)]
    return {
        "it_s_of_one": round(1e3 / statistics.median(wall for _, wall in one), 1),
        "it_s_of_all": round(1e3 / statistics.median(wall for _, wall in many), 1),
        "times_as_fast": round(statistics.median(faster), 2),
        "times_as_fast_range": [round(min(faster), 2), round(max(faster), 2)],
        "cpu_of_all_to_one": round(statistics.median(dearer), 2),
    }


if __name__ == "__main__":
    main()
