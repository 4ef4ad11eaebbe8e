"""What do the presets reach in equal training time, on pictures that everybody measures on?

Trains on T91 + BSDS200 with the product's own trainer, one CPU thread, a fixed budget of CPU seconds, and
measures Set5, Set14 and B100 from the checkpoints it leaves: the moving-average weights, nothing selected on
the test pictures. Neither is anything stopped or lowered by validations, since there are none. Start-up
and the test itself are not counted. CPU seconds grow where other work shares the cores: `--pace` measures on
a quiet machine what length the budget means for each recipe, and `--iterations` takes these lengths later.
The curves are drawn over the budget.

python -m benchmarks.quality --data FOLDER [--seconds 150] [--seeds 1 2 3] [--recipes NAME ...] [--at-once 1]
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks.curves import draw
from benchmarks.machine import RESULTS, machine, timed, write
from benchmarks.recipes import RECIPES, Recipe
from benchmarks.trainer import trainer_command
from srqueue.datasets import Registry, add, dataset_ref, locate
from srqueue.run.folder import RunDir
from srqueue.run.listing import Listing
from srqueue.settings import load_settings
from srqueue.spec.expand import expand
from srqueue.spec.job import JobSpec
from workers.trainer.archs import build_network
from workers.trainer.checkpoint import read
from workers.trainer.data.pictures import Pictures
from workers.trainer.validation import Validator

TESTS = ("Set5", "Set14", "B100")
PROBE = 80
"""Iterations of the shorter of two runs, between which the speed is measured; it decoded most pictures."""

PROBE_SECONDS = 25.0
"""About what the longer one takes beyond that, CPU seconds."""


@dataclass(frozen=True)
class Run:
    """One training: which recipe, which seed, how many iterations. `what`: the recipe of that name."""

    recipe: str
    seed: int
    iterations: int
    what: Recipe


def spec_of(registry: Registry, run: Run) -> JobSpec:
    """The recipe's preset at this length, without validation; a checkpoint every ten seconds."""
    recipe = run.what
    lengths = {
        "manual_seed": run.seed,
        "train": {"total_iter": run.iterations},
        "val": {"val_enabled": False},
        "logger": {"print_freq": 200, "save_checkpoint_seconds": 10},
        "compute": {"threads": 1},
        "preflight": False,
    }
    overrides = [("recipe", recipe.changes), ("lengths", lengths)]
    ref = dataset_ref(registry, "train")
    return expand(ref, preset=recipe.preset, architecture=recipe.architecture, overrides=overrides).spec


def train(home: Path, registry: Registry, run: Run) -> tuple[RunDir, JobSpec, float]:
    """(run folder, spec, CPU seconds of the whole process)."""
    spec = spec_of(registry, run)
    name = f"{run.recipe}-{run.seed}-{run.iterations}".replace(" ", "_")
    command = trainer_command(home, name, spec, locate(registry, spec), "cpu")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    cpu, _, _ = timed(command, environment, timeout=7200)
    return RunDir(home / "runs" / name), spec, cpu


def measure(run: RunDir, spec: JobSpec, tests: dict[str, Validator], newest: bool = False) -> list[dict]:
    """What each kept checkpoint reaches (or the newest alone), oldest first; B100, which takes long, at every
    fifth."""
    rows, names = [], run.checkpoint_names()[-1 if newest else 0 :]
    for i, name in enumerate(names):
        manifest, tensors = read(run.checkpoints / str(name))
        part = "ema/" if spec.train.ema_decay else "model/"
        net = build_network(spec.network_g, spec.scale)
        net.load_state_dict(
            {k.removeprefix(part): t for k, t in tensors.items() if k.startswith(part)}, strict=True
        )
        row = {"iteration": manifest.state["iteration"]}
        for test, validator in tests.items():
            if test == "B100" and (len(names) - 1 - i) % 5:
                continue
            found = validator.network(net.eval())
            row[test] = {k: round(found[f"val/{k}"], 4) for k in ("psnr", "ssim", "psnr_rgb")}
        rows.append(row)
    return rows


def pace(home: Path, registry: Registry, name: str, recipe: Recipe) -> tuple[float, float]:
    """(CPU seconds before the first iteration, CPU seconds an iteration), from two short runs."""
    short = train(home, registry, Run(name, 0, PROBE, recipe))[2]
    more = max(10, int(PROBE_SECONDS * PROBE / short))
    longer = train(home, registry, Run(name, 0, PROBE + more, recipe))[2]
    each = (longer - short) / more
    return short - PROBE * each, each


def benchmark(home: Path, registry: Registry, run: Run, tests: dict) -> dict:
    """Trains, and measures the curve."""
    start = train(home, registry, replace(run, iterations=1))[2]
    folder, spec, cpu = train(home, registry, run)
    curve = measure(folder, spec, tests)
    used = cpu - start
    for row in curve:
        row["cpu_s"] = round(used * row["iteration"] / run.iterations, 1)
    print(f"{run.recipe}, seed {run.seed}: {run.iterations} it, {used:.1f} CPU s", curve[-1], flush=True)
    return {"seed": run.seed, "iterations": run.iterations, "cpu_s": round(used, 1), "curve": curve}


def summary(runs: list[dict]) -> dict:
    """Mean and spread (largest minus smallest) of the last point over the seeds."""
    figures: dict = {
        "iterations": runs[0]["iterations"],
        "cpu_s": [r["cpu_s"] for r in runs],
        "fastest_cpu_ms_per_iteration": round(min(r["cpu_s"] / r["iterations"] for r in runs) * 1e3, 2),
    }
    for test in TESTS:
        last = [r["curve"][-1][test] for r in runs]
        psnr = [x["psnr"] for x in last]
        figures[test] = {
            "psnr_y": round(statistics.mean(psnr), 3),
            "spread": round(max(psnr) - min(psnr), 3),
            "ssim_y": round(statistics.mean(x["ssim"] for x in last), 4),
            "psnr_rgb": round(statistics.mean(x["psnr_rgb"] for x in last), 3),
        }
    return figures


def baseline(recipe: str) -> str:
    """`convenience` on the same network as it stands: what a user would get in the same time."""
    return f"{recipe.split()[0]} convenience"


def gains(curves: dict[str, list[dict]]) -> dict:
    """dB of PSNR-Y over the baseline: mean, least and most over the seeds that both have."""
    last = {name: {r["seed"]: r["curve"][-1] for r in runs} for name, runs in curves.items()}
    found: dict = {}
    for name, ends in last.items():
        base = baseline(name)
        both = sorted(ends.keys() & last.get(base, {}).keys())
        if name == base or not both:
            continue
        found[name] = {"over": base, "seeds": len(both)}
        for test in TESTS:
            each = [ends[s][test]["psnr"] - last[base][s][test]["psnr"] for s in both]
            figures = {"mean": statistics.mean(each), "least": min(each), "most": max(each)}
            found[name][test] = {k: round(v, 3) for k, v in figures.items()}
    return found


def validators(registry: Registry, names: Sequence[str] = TESTS) -> dict[str, Validator]:
    """The test sets at x2, LR made by the product."""
    device, found = torch.device("cpu"), {}
    for test in names:
        listing = Listing.read(registry.listing_file(test))
        pictures = Pictures(listing.pictures, Path(listing.hr_root), None, 2)
        found[test] = Validator(test, pictures, device, lambda: False)
    return found


def main() -> None:
    """Writes results/<out>.json and its curves as results/<out>.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds train/ and test/{Set5,Set14,B100}/")
    parser.add_argument("--seconds", type=float, default=150, help="CPU seconds of training")
    parser.add_argument(
        "--iterations", type=int, nargs="+", metavar="N", help="lengths of the recipes instead of the seconds"
    )
    parser.add_argument("--pace", action="store_true", help="only measure the lengths, into <out>_pace.json")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3], help="0 or more of them")
    parser.add_argument("--merge", nargs="+", default=[], metavar="NAME", help="results that are taken along")
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES), metavar="NAME")
    parser.add_argument("--at-once", type=int, default=1, help="trainings beside each other, one core each")
    parser.add_argument("--out", default="quality", help="name of the result")
    args = parser.parse_args()
    if args.iterations and len(args.iterations) != len(args.recipes):
        parser.error(f"{len(args.iterations)} lengths for {len(args.recipes)} recipes")
    if args.pace and args.at_once > 1:
        parser.error("two at once would slow each other down: --pace is for one at a time")
    torch.set_num_threads(1)
    now = machine()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ |= {"SRQUEUE_HOME": folder, "SRQUEUE_DATASETS": str(home / "datasets.yaml")}
        settings = load_settings()
        add(settings, "train", args.data / "train")
        for test in TESTS:
            add(settings, test, args.data / "test" / test)
        registry, tests = Registry(settings), validators(Registry(settings))
        figures: dict = {"budget_cpu_s": args.seconds}
        figures["bicubic"] = {t: round(v.bicubic()["bicubic/psnr"], 3) for t, v in tests.items()}
        with ThreadPoolExecutor(args.at_once) as pool:
            # The same length for every seed, whatever else the machine does meanwhile.
            asked = args.recipes if args.seeds or args.pace else []
            paces = (
                []
                if args.iterations
                else list(pool.map(lambda name: pace(home, registry, name, RECIPES[name])[1], asked))
            )
            lengths = args.iterations or [int(args.seconds / each) for each in paces]
            if args.pace:
                rows = zip(asked, paces, lengths, strict=True)
                table = {
                    name: {"cpu_ms_per_iteration": round(each * 1e3, 2), "iterations": length}
                    for name, each, length in rows
                }
                command = f"python -m benchmarks.quality {' '.join(_told(sys.argv[1:]))}"
                write(f"{args.out}_pace", command, {"budget_cpu_s": args.seconds, "recipes": table}, now)
                return
            runs = [
                Run(recipe, seed, length, RECIPES[recipe])
                for seed in args.seeds
                for recipe, length in zip(asked, lengths, strict=True)
            ]
            curves: dict[str, list[dict]] = {}
            waiting = {pool.submit(benchmark, home, registry, run, tests): run for run in runs}
            for future in as_completed(waiting):
                curves.setdefault(waiting[future].recipe, []).append(future.result())
                _write(args.out, figures, curves, now)
            if args.merge:
                _write(args.out, figures, curves, now, args.merge)
    print(json.dumps(figures.get("gains"), indent=1))


def _write(
    out: str, figures: dict, curves: dict[str, list[dict]], now: dict, others: Sequence[str] = ()
) -> None:
    """Writes what is known so far: hours of measuring are not lost with the last run. `others`: results."""
    commands = [f"python -m benchmarks.quality {' '.join(_told(sys.argv[1:]))}"]
    known = {(name, run["seed"]): run for name, runs in curves.items() for run in runs}
    for other in others:
        before = json.loads((RESULTS / f"{other}.json").read_text())
        commands.insert(-1, before["command"])
        known |= {(name, r["seed"]): r for name, runs in before["figures"]["runs"].items() for r in runs}
    every = {name: [r for (n, _), r in sorted(known.items()) if n == name] for name in RECIPES}
    every = {name: runs for name, runs in every.items() if runs}
    figures["recipes"] = {name: summary(runs) for name, runs in every.items()}
    figures["gains"] = gains(every)
    figures["runs"] = every
    with contextlib.redirect_stdout(io.StringIO()):
        write(out, "; ".join(commands), figures, now)
    if every:
        draw(figures, RESULTS / f"{out}.png")


def _told(arguments: list[str]) -> list[str]:
    """The command line as it is published, without this machine's folder."""
    after = arguments.index("--data") + 1
    told = [*arguments[:after], "FOLDER", *arguments[after + 1 :]]
    return [f'"{word}"' if " " in word else word for word in told]


if __name__ == "__main__":
    main()
