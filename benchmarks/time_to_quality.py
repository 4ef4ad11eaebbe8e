"""How many seconds of one core until a network is 2 and 3 dB better than bicubic interpolation on Set5?

The product's trainer on T91 + BSDS200, `tuned` with crops of 32 at a length that was fixed beforehand, with a
validation of Set5 every few iterations, which counts as it would for a user. Time runs from the trainer's
first event to the end of the validation that shows the gain; the import of torch comes before it.

python -m benchmarks.time_to_quality --data FOLDER [--seeds 1 2 3] [--iterations 700]
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from benchmarks.machine import machine, timed, write
from benchmarks.trainer import trainer_command
from srqueue.datasets import Registry, add, dataset_ref, locate
from srqueue.run.folder import RunDir
from srqueue.settings import load_settings
from srqueue.spec.expand import expand

GAINS = (1.0, 2.0, 3.0)
"""dB of PSNR-Y over bicubic."""


def train(
    home: Path, registry: Registry, seed: int, iterations: int, every: int, compute: dict | None = None
) -> dict:
    """Seconds to each gain (None where it was not reached), and what the whole run cost."""
    lengths = {
        "manual_seed": seed,
        "datasets": {"train": {"lq_size": 32}},
        "train": {"total_iter": iterations, "warmup_iter": 50},
        "val": {"val_freq": every},
        "logger": {"print_freq": every},
        "compute": {"threads": 1, **(compute or {})},
        "preflight": False,
    }
    ref = dataset_ref(registry, "train")
    spec = expand(ref, preset="tuned", architecture="compact", overrides=[("benchmark", lengths)]).spec
    run = home / "runs" / "-".join(map(str, ["seed", seed, *(compute or {}).values()]))
    command = trainer_command(home, run.name, spec, locate(registry, spec), "cpu")
    cpu, wall, _ = timed(command, os.environ | {"OMP_NUM_THREADS": "1"}, timeout=1800)
    events = list(RunDir(run).events())
    begun = events[0].t
    found = [e for e in events if e.kind == "val"]
    row: dict = {"seed": seed, "cpu_s": round(cpu, 1), "wall_s": round(wall, 1)}
    for gain in GAINS:
        there = (e.t - begun for e in found if e.data["val/psnr"] - e.data["bicubic/psnr"] >= gain)
        seconds = next(there, None)
        row[f"to +{gain:g} dB"] = None if seconds is None else round(seconds, 1)
    row["last"] = round(found[-1].data["val/psnr"] - found[-1].data["bicubic/psnr"], 4)
    row["validating_s"] = round(sum(e.data["seconds"] for e in found), 1)
    return row


def pictures(home: Path, data: Path) -> Registry:
    """A registry below `home` with the training set, validated on Set5."""
    os.environ |= {"SRQUEUE_HOME": str(home), "SRQUEUE_DATASETS": str(home / "datasets.yaml")}
    settings = load_settings()
    add(settings, "set5", data / "test" / "Set5")
    add(settings, "train", data / "train", val="set5")
    return Registry(settings)


def main() -> None:
    """Writes results/time_to_quality.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds train/ and test/Set5/")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--iterations", type=int, default=700)
    parser.add_argument("--every", type=int, default=50, help="iterations between two validations")
    args = parser.parse_args()
    now = machine()
    with tempfile.TemporaryDirectory() as folder:
        home, runs = Path(folder), []
        registry = pictures(home, args.data)
        for seed in args.seeds:
            runs.append(train(home, registry, seed, args.iterations, args.every))
            print(runs[-1], flush=True)
    names = [key for key in runs[0] if key.startswith("to ")]
    medians = {}
    for name in names:
        reached = [run[name] for run in runs if run[name] is not None]
        medians[name] = round(statistics.median(reached), 1) if len(reached) == len(runs) else None
    command = (
        f"python -m benchmarks.time_to_quality --data FOLDER --seeds {' '.join(map(str, args.seeds))} "
        f"--iterations {args.iterations} --every {args.every}"
    )
    write("time_to_quality", command, {"median_seconds": medians, "runs": runs}, now)


if __name__ == "__main__":
    main()
