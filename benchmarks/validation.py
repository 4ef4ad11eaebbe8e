"""What share of a run is its validation, every 200 iterations as `max-fidelity` has it?

A short run of the product's trainer on the preset's own crops and pictures of the literature; the share is
the median validation over itself and 200 median iterations, both told by the trainer. The first validation,
which measures bicubic interpolation too, is left out.

python -m benchmarks.validation --data FOLDER [--arch compact] [--tests Set5 Set14] [--device cpu]
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

EVERY = 200


def share(home: Path, test: str, architecture: str, device: str, validations: int) -> dict:
    """Seconds of a validation and of `EVERY` iterations, and the part of the former."""
    registry = Registry(load_settings())
    lengths = {
        "train": {"total_iter": EVERY * validations, "warmup_iter": 10},
        "logger": {"print_freq": EVERY // 4, "save_checkpoint_seconds": 3600},
        "preflight": False,
    }
    overrides = [("benchmark", lengths)]
    ref = dataset_ref(registry, f"train-{test}")
    spec = expand(ref, preset="max-fidelity", architecture=architecture, overrides=overrides).spec
    run = home / "runs" / f"{architecture}-{test}"
    command = trainer_command(home, run.name, spec, locate(registry, spec), device)
    timed(command, os.environ | {"OMP_NUM_THREADS": "1"}, timeout=3600)
    events = list(RunDir(run).events())
    seconds = statistics.median([e.data["seconds"] for e in events if e.kind == "val"][1:])
    training = EVERY / statistics.median(e.data["it_s"] for e in events if e.kind == "train")
    return {
        "validation_s": round(seconds, 3),
        f"{EVERY}_iterations_s": round(training, 2),
        "share": round(seconds / (seconds + training), 4),
    }


def main() -> None:
    """Writes results/validation.json (validation_cuda.json for a GPU)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds train/ and test/")
    parser.add_argument("--arch", nargs="+", default=["compact"])
    parser.add_argument("--tests", nargs="+", default=["Set5", "Set14"])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--validations", type=int, default=3)
    args = parser.parse_args()
    now, figures = machine(), {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ |= {"SRQUEUE_HOME": folder, "SRQUEUE_DATASETS": str(home / "datasets.yaml")}
        for test in args.tests:
            add(load_settings(), test, args.data / "test" / test)
            add(load_settings(), f"train-{test}", args.data / "train", val=test)
        for architecture in args.arch:
            for test in args.tests:
                found = share(home, test, architecture, args.device, args.validations)
                figures[f"{architecture}, {test}"] = found
                print(architecture, test, found, flush=True)
    command = f"python -m benchmarks.validation --data FOLDER --arch {' '.join(args.arch)}"
    name = "validation" if args.device == "cpu" else f"validation_{args.device}"
    write(name, f"{command} --tests {' '.join(args.tests)} --device {args.device}", figures, now)


if __name__ == "__main__":
    main()
