"""Real curves of a grid of short trainings: what `benchmarks.asha` replays.

`compact` at two widths, three optimizers and three rates each, on T91 + BSDS200, small crops, 1,800
iterations with the recipe of `tuned`; Set5 is validated every 100. One CPU thread a training.

python -m benchmarks.grid_curves --data FOLDER [--at-once 1]
"""

import argparse
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

from benchmarks.machine import machine, timed, write
from benchmarks.trainer import trainer_command
from srqueue.datasets import Registry, add, dataset_ref, locate
from srqueue.run.folder import RunDir
from srqueue.settings import load_settings
from srqueue.spec.expand import expand

LENGTH = 1800
EACH = 100
WIDTHS = (8, 16)
RATES = {
    "AdamW": ([0.9, 0.99], (1e-3, 4e-3, 1.6e-2)),
    "Muon": ([0.9, 0.99], (2.5e-3, 1e-2, 4e-2)),
    "SOAP": ([0.95, 0.99], (2e-3, 6e-3, 1.8e-2)),
}


def cells() -> list[dict]:
    """The whole grid."""
    optimizers = [(kind, betas, lr) for kind, (betas, rates) in RATES.items() for lr in rates]
    return [
        {"num_feat": width, "optimizer": kind, "betas": betas, "lr": lr}
        for width, (kind, betas, lr) in product(WIDTHS, optimizers)
    ]


def record(home: Path, registry: Registry, cell: dict) -> dict:
    """Trains one cell; its curve as [iteration, PSNR (dB), SSIM]."""
    test = dataset_ref(registry, "Set5")
    changes = {
        "network_g": {"num_feat": cell["num_feat"], "num_conv": 4},
        "datasets": {
            "train": {"lq_size": 24, "batch_size": 8},
            "val": {"name": test.name, "identity": test.identity},
        },
        "train": {
            "total_iter": LENGTH,
            "optim_g": {"type": cell["optimizer"], "lr": cell["lr"], "betas": cell["betas"]},
            "training_automations": {"enabled": False},
        },
        "val": {"val_freq": EACH},
        "logger": {"print_freq": 300, "save_checkpoint_seconds": 3600},
        "compute": {"threads": 1, "precision": "fp32", "channels_last": False},
        "manual_seed": 1,
        "preflight": False,
    }
    given = dataset_ref(registry, "train")
    spec = expand(given, preset="tuned", architecture="compact", overrides=[("grid", changes)]).spec
    name = f"{cell['optimizer']}-{cell['lr']:g}-{cell['num_feat']}"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = trainer_command(home, name, spec, locate(registry, spec), "cpu")
    cpu, _, _ = timed(command, environment, timeout=3600)
    found = [e for e in RunDir(home / "runs" / name).events() if e.kind == "val"]
    curve = [[e.it, round(e.data["val/psnr"], 6), round(e.data["val/ssim"], 6)] for e in found]
    print(name, f"{cpu:.0f} CPU s", curve[-1:], flush=True)
    return {"cell": cell, "cpu_s": round(cpu, 1), "curve": curve}


def main() -> None:
    """Writes results/grid_curves.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds train/ and test/Set5/")
    parser.add_argument("--at-once", type=int, default=1, help="trainings beside each other, one core each")
    parser.add_argument("--first", type=int, help="only so many cells")
    args = parser.parse_args()
    now = machine()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ |= {"SRQUEUE_HOME": folder, "SRQUEUE_DATASETS": str(home / "datasets.yaml")}
        settings = load_settings()
        add(settings, "train", args.data / "train")
        add(settings, "Set5", args.data / "test" / "Set5")
        registry = Registry(settings)
        with ThreadPoolExecutor(args.at_once) as pool:
            runs = list(pool.map(lambda cell: record(home, registry, cell), cells()[: args.first]))
    command = "python -m benchmarks.grid_curves --data FOLDER"
    write("grid_curves", command, {"iterations": LENGTH, "validated_each": EACH, "runs": runs}, now)


if __name__ == "__main__":
    main()
