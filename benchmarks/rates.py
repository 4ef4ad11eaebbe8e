"""Which rate is best for which optimizer? What the `measured:` rates of presets/architectures stand on.

The loss, schedule and network arguments of `tuned`, small crops, runs of a fixed number of iterations, each
optimizer at several rates; the end is measured on Set5 and Set14. The best rate of a short run is above that
of a long one: it is a guide, for a remark where a spec is far from it.

python -m benchmarks.rates --data FOLDER [--iterations 1400] [--seeds 1] [--at-once 1]
"""

import argparse
import os
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from benchmarks.machine import machine, write
from benchmarks.quality import Run, measure, train, validators
from benchmarks.recipes import SMALL, Recipe
from srqueue.datasets import Registry, add
from srqueue.settings import load_settings

ARCHITECTURES = ("compact", "paragonsr2_nano")
RATES = {
    "AdamW": (1e-3, 2e-3, 4e-3, 8e-3),
    "Muon": (5e-3, 1e-2, 2e-2),
    "SOAP": (2e-3, 4e-3, 8e-3, 1.5e-2, 3e-2),
}
BETAS = {"AdamW": [0.9, 0.99], "Muon": [0.9, 0.99], "SOAP": [0.95, 0.99]}
TESTS = ("Set5", "Set14")


def runs(iterations: int, seeds: int) -> list[Run]:
    """The whole grid."""
    found = []
    for architecture in ARCHITECTURES:
        for optimizer, rates in RATES.items():
            for rate in rates:
                chosen = {"type": optimizer, "lr": rate, "betas": BETAS[optimizer]}
                recipe = Recipe("tuned", architecture, {**SMALL, "train": {"optim_g": chosen}})
                name = f"{architecture} {optimizer} {rate:g}"
                found += [Run(name, seed, iterations, recipe) for seed in range(1, seeds + 1)]
    return found


def main() -> None:
    """Writes results/rates.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds train/ and test/{Set5,Set14}/")
    parser.add_argument("--iterations", type=int, default=1400)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=1, help="trainings beside each other, one core each")
    args = parser.parse_args()
    torch.set_num_threads(1)
    now = machine()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ |= {"SRQUEUE_HOME": folder, "SRQUEUE_DATASETS": str(home / "datasets.yaml")}
        settings = load_settings()
        add(settings, "train", args.data / "train")
        for test in TESTS:
            add(settings, test, args.data / "test" / test)
        registry = Registry(settings)
        tests = validators(registry, TESTS)

        def psnr(run: Run) -> tuple[str, dict[str, float]]:
            done, spec, _ = train(home, registry, run)
            last = measure(done, spec, tests, newest=True)[-1]
            print(run.recipe, run.seed, {test: last[test]["psnr"] for test in TESTS}, flush=True)
            return run.recipe, {test: last[test]["psnr"] for test in TESTS}

        ends: dict[str, list[dict[str, float]]] = {}
        with ThreadPoolExecutor(args.at_once) as pool:
            for name, found in pool.map(psnr, runs(args.iterations, args.seeds)):
                ends.setdefault(name, []).append(found)
    table = {
        name: {test: round(statistics.mean(end[test] for end in found), 3) for test in TESTS}
        for name, found in ends.items()
    }
    command = f"python -m benchmarks.rates --data FOLDER --iterations {args.iterations} --seeds {args.seeds}"
    write("rates", command, {"iterations": args.iterations, "seeds": args.seeds, "psnr_y": table}, now)


if __name__ == "__main__":
    main()
