"""Do precision, memory layout and a compiler change what a training reaches, beyond what the seed does?

The runs of benchmarks.time_to_quality, once with each lever, over five seeds or more; two at a time, since
only what they reach is looked at. A lever is fine where its mean differs from fp32's by less than the spread
over the seeds.

python -m benchmarks.levers --data FOLDER [--seeds 1 2 3 4 5] [--iterations 700] [--at-once 2]
"""

import argparse
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.machine import machine, write
from benchmarks.time_to_quality import pictures, train

LEVERS = {
    "fp32, channels_last": {"precision": "fp32", "channels_last": True},
    "fp32, contiguous": {"precision": "fp32", "channels_last": False},
    "bf16, channels_last": {"precision": "bf16", "channels_last": True},
    "fp32, channels_last, compiled, fast": {
        "precision": "fp32",
        "channels_last": True,
        "compile": True,
        "mode": "fast",
    },
}
PLAIN = "fp32, channels_last"


def main() -> None:
    """Writes results/levers.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds train/ and test/Set5/")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--iterations", type=int, default=700)
    parser.add_argument("--at-once", type=int, default=2)
    args = parser.parse_args()
    now = machine()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(args.at_once) as pool:
        home = Path(folder)
        registry = pictures(home, args.data)
        last = args.iterations  # one validation, at the end
        waiting = {
            (name, seed): pool.submit(train, home, registry, seed, last, last, compute)
            for seed in args.seeds
            for name, compute in LEVERS.items()
        }
        found = {key: future.result()["last"] for key, future in waiting.items()}
    gains = {name: [found[name, seed] for seed in args.seeds] for name in LEVERS}
    spread = max(gains[PLAIN]) - min(gains[PLAIN])
    figures = {
        "db_over_bicubic": gains,
        "spread_over_the_seeds": round(spread, 4),
        "difference_of_the_means": {},
    }
    for name, values in gains.items():
        difference = statistics.mean(values) - statistics.mean(gains[PLAIN])
        figures["difference_of_the_means"][name] = round(difference, 4)
    seeds = " ".join(map(str, args.seeds))
    command = f"python -m benchmarks.levers --data FOLDER --seeds {seeds} --iterations {args.iterations}"
    write("levers", command, figures, now)


if __name__ == "__main__":
    main()
