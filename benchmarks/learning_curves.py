"""Records real learning curves, for forecasts to be replayed on (benchmarks.forecast).

The product's trainer on T91 + BSDS200, one thread of a CPU, small crops, validated on Set5: several
networks, presets, schedules, lengths and seeds. Of each run only figures are kept, so that whoever has
the file needs no pictures: of validations (iteration, seconds since the run began, PSNR, SSIM) and of
reports (iteration, seconds, it/s, the trainer's own seconds left). The result is written after each run;
called again, it records what is not there yet.

python -m benchmarks.learning_curves --data FOLDER [--minutes 25]
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.forecast import CURVES
from benchmarks.machine import machine, timed
from benchmarks.time_to_quality import pictures
from benchmarks.trainer import trainer_command
from srqueue.datasets import Registry, dataset_ref, locate
from srqueue.run.events import Event
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.spec.expand import expand
from srqueue.spec.job import JobSpec

NETWORKS = {
    "compact": {"type": "compact", "num_feat": 32, "num_conv": 4},
    "thin": {"type": "compact", "num_feat": 12, "num_conv": 2},
    "nano": {"type": "paragonsr2_nano", "act": True, "alpha": 0.0},
    "edsr": {"type": "edsr", "num_feat": 16, "num_block": 4},
    "span": {"type": "span", "num_feat": 16, "num_block": 2},
}

ADAM = {"type": "AdamW", "lr": 2e-3, "betas": [0.9, 0.99]}
SOAP = {"type": "SOAP", "lr": 4e-3, "betas": [0.95, 0.99]}
STOPPING = {
    "enabled": True,
    "IntelligentLearningRateScheduler": {"enabled": False},
    "IntelligentEarlyStopping": {"enabled": True, "patience": 100, "min_improvement": 0.03},
}
OFF = {"enabled": False}
ON_A_PLATEAU = ("IntelligentEarlyStopping", "IntelligentLearningRateScheduler")

RECIPES: dict[str, tuple[str, dict]] = {
    "convenience": ("convenience", {}),
    "convenience, 10 x rate": ("convenience", {"optim_g": ADAM}),
    "fidelity, 10 x rate": ("fidelity", {"optim_g": {"type": "AdamW", "lr": 1e-3, "betas": [0.9, 0.99]}}),
    "tuned": ("tuned", {}),
    "cosine": (
        "convenience",
        {"optim_g": ADAM, "scheduler": {"type": "cosine"}, "training_automations": OFF},
    ),
    "wsd": (
        "convenience",
        {"optim_g": SOAP, "scheduler": {"type": "wsd", "decay_share": 0.2}, "training_automations": OFF},
    ),
    "wsd, stopping": (
        "convenience",
        {"optim_g": SOAP, "scheduler": {"type": "wsd"}, "training_automations": STOPPING},
    ),
    "constant": ("convenience", {"optim_g": SOAP, "training_automations": OFF, "ema_decay": 0.99}),
    "stopping": ("convenience", {"optim_g": ADAM, "training_automations": STOPPING}),
    "multistep": (
        "convenience",
        {
            "optim_g": ADAM,
            "scheduler": {"type": "multistep", "milestones": [0.5, 0.75]},
            "training_automations": OFF,
        },
    ),
}
"""(preset, changes of `train`); milestones as shares of the length."""


@dataclass(frozen=True)
class Wanted:
    """One run."""

    network: str
    recipe: str
    iterations: int
    every: int  # iterations between two validations
    seed: int = 1
    crops: tuple[int, int] = (4, 24)  # how many of which side
    ema: float | None = 0.99  # 0.999 looks back as far as a short run is long; None: as the preset has it

    @property
    def name(self) -> str:
        """Tells it from the others."""
        return f"{self.network}, {self.recipe}, {self.iterations} it, seed {self.seed}"


RUNS = (
    Wanted("compact", "tuned", 1500, 50, ema=None),
    Wanted("nano", "convenience, 10 x rate", 1200, 40, ema=None),
    Wanted("thin", "cosine", 3000, 60, ema=None),
    Wanted("edsr", "wsd", 1200, 30, ema=None),
    Wanted("thin", "stopping", 3000, 40, ema=None),
    Wanted("compact", "convenience", 1500, 50, ema=None),
    Wanted("nano", "tuned", 720, 15),
    Wanted("span", "constant", 300, 10),
    Wanted("thin", "wsd, stopping", 870, 29),
    Wanted("compact", "multistep", 360, 12),
    Wanted("edsr", "fidelity, 10 x rate", 360, 12),
    Wanted("nano", "cosine", 280, 14),
    Wanted("compact", "tuned", 450, 15, seed=2),
    Wanted("thin", "convenience, 10 x rate", 1080, 36),
    Wanted("span", "tuned", 300, 10),
    Wanted("nano", "wsd", 300, 10),
    Wanted("edsr", "stopping", 360, 12),
    Wanted("compact", "constant", 360, 12),
    Wanted("thin", "tuned", 1080, 36),
    Wanted("nano", "convenience, 10 x rate", 330, 11, seed=2),
    Wanted("compact", "cosine", 240, 10),
    Wanted("edsr", "cosine", 300, 15),
    Wanted("thin", "fidelity, 10 x rate", 870, 29, crops=(8, 24)),
    Wanted("compact", "wsd, stopping", 360, 12),
    Wanted("nano", "constant", 280, 14),
    Wanted("span", "convenience, 10 x rate", 300, 10),
    Wanted("thin", "cosine", 720, 36, seed=2),
    Wanted("compact", "convenience, 10 x rate", 450, 15),
    Wanted("nano", "tuned", 330, 11, seed=2),
    Wanted("edsr", "tuned", 300, 10),
    Wanted("thin", "multistep", 1080, 36),
    Wanted("compact", "wsd", 300, 10, crops=(8, 24)),
    Wanted("nano", "stopping", 330, 11),
    Wanted("thin", "constant", 1080, 36, seed=2),
    Wanted("span", "cosine", 240, 10),
    Wanted("compact", "fidelity, 10 x rate", 378, 18),
    Wanted("edsr", "convenience", 300, 15),
    Wanted("thin", "wsd", 1080, 36, seed=3),
    Wanted("nano", "multistep", 300, 10),
    Wanted("compact", "stopping", 450, 15, seed=2),
)


def spec_of(registry: Registry, wanted: Wanted) -> JobSpec:
    """The whole spec, its lengths in proportion."""
    preset, train = RECIPES[wanted.recipe]
    train = {**train, "total_iter": wanted.iterations}
    if wanted.ema is not None:
        train["ema_decay"] = wanted.ema
    if "milestones" in (schedule := train.get("scheduler", {})):
        stones = [round(share * wanted.iterations) for share in schedule["milestones"]]
        train["scheduler"] = {**schedule, "milestones": stones}
    number, side = wanted.crops
    changes = {
        "manual_seed": wanted.seed,
        "network_g": NETWORKS[wanted.network],
        "datasets": {"train": {"lq_size": side, "batch_size": number}},
        "train": train,
        "val": {"val_freq": wanted.every},
        "logger": {"print_freq": 20, "save_checkpoint_seconds": 3600},
        "compute": {"threads": 1},
        "preflight": False,
    }
    ref, arch = dataset_ref(registry, "train"), NETWORKS[wanted.network]["type"]
    return expand(ref, preset=preset, architecture=arch, overrides=[("benchmark", changes)]).spec


def record(home: Path, registry: Registry, wanted: Wanted) -> dict:
    """Trains; the figures of the run."""
    spec = spec_of(registry, wanted)
    name = wanted.name.replace(" ", "_").replace(",", "")
    command = trainer_command(home, name, spec, locate(registry, spec), "cpu")
    cpu, _, _ = timed(command, os.environ | {"OMP_NUM_THREADS": "1"}, timeout=3600)
    run = RunDir(home / "runs" / name)
    events = list(run.events())
    begun = events[0].t
    outcome = Outcome.read(run.attempt(1).outcome_file)
    if outcome is None:
        raise SystemExit(f"{wanted.name} left no outcome")
    vals = [e for e in events if e.kind == "val"]
    reports = [e for e in events if e.kind == "train"]
    return {
        "name": wanted.name, "network": wanted.network, "recipe": wanted.recipe, "seed": wanted.seed,
        "cpu_s": round(cpu, 1), "train": spec.train.model_dump(mode="json"), "val_freq": wanted.every,
        "reason": str(outcome.reason), "iteration": outcome.iteration,
        "ended_s": round(events[-1].t - begun, 2),
        "bicubic": [round(vals[0].data["bicubic/psnr"], 4), round(vals[0].data["bicubic/ssim"], 5)],
        "best": [round(outcome.metrics["best/psnr"], 4), round(outcome.metrics["best/ssim"], 5)],
        "validations": [
            [
                *(e.it, round(e.t - begun, 2), round(e.data["val/psnr"], 4)),
                *(round(e.data["val/ssim"], 5), e.data["seconds"]),
            ]
            for e in vals
        ],
        "reports": [[e.it, round(e.t - begun, 2), e.data["it_s"], e.data["eta_s"]] for e in reports],
        "rates": [[e.it, round(_share(spec, reports, e.it), 5)] for e in vals],
        "actions": [
            [e.it, e.data["by"]] for e in events if e.kind == "action" and e.data["by"] in ON_A_PLATEAU
        ],
    }  # fmt: skip


def _share(spec: JobSpec, reports: list[Event], iteration: int) -> float:
    """Of the full rate, of the step before that validation."""
    newest = [r for r in reports if r.it <= iteration][-1]
    return newest.data["lr"] / spec.train.optim_g.lr


def known() -> dict[str, dict]:
    """What was recorded already, by name."""
    if not CURVES.exists():
        return {}
    return {curve["name"]: curve for curve in json.loads(CURVES.read_text())["curves"]}


def write(curves: dict[str, dict], now: dict) -> None:
    """One curve a line: the file stays small and differences readable."""
    head = {
        "question": "curves",
        "command": "python -m benchmarks.learning_curves --data FOLDER",
        "machine": now,
    }
    lines = ",\n".join(json.dumps(curve, separators=(",", ":")) for curve in curves.values())
    CURVES.write_text(f'{json.dumps(head)[:-1]},\n"curves": [\n{lines}\n]}}\n')


def main() -> None:
    """Writes results/curves.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds train/ and test/Set5/")
    parser.add_argument("--minutes", type=float, default=25, help="CPU minutes; then no further run begins")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    args = parser.parse_args()
    now, curves, spent = machine(), known(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        registry = pictures(Path(folder), args.data)
        for wanted in RUNS:
            asked = wanted.network in args.networks and wanted.name not in curves
            if not asked or spent > 60 * args.minutes:
                continue
            begun = time.monotonic()
            curves[wanted.name] = curve = record(Path(folder), registry, wanted)
            spent += curve["cpu_s"]
            write(curves, now)
            points = len(curve["validations"])
            print(
                f"{wanted.name}: {curve['cpu_s']} CPU s, {time.monotonic() - begun:.0f} s, "
                f"{points} validations, {curve['reason']} at {curve['iteration']}, "
                f"{curve['best']} (bicubic {curve['bicubic']})",
                flush=True,
            )
    print(f"{len(curves)} curves, {spent:.0f} CPU s")


if __name__ == "__main__":
    main()
