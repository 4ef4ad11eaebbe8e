"""What do checkpoints cost, and what share of the time is trained when something dies every hour?

Undisturbed trainers save every second: one small network, whose checkpoints are written between two
iterations, and one above 50 MB, whose checkpoints are written beside the training. The stall is how long
the loop stood still for a save. The effective share is computed from it and from
results/faults_takeover.json.
"""

import argparse
import json
import shutil
import statistics
import time
from pathlib import Path

import psutil

from benchmarks.faults.place import DATASET, Place, prepared, say, until
from benchmarks.machine import RESULTS, machine, write
from srqueue.datasets import dataset_ref, locate
from srqueue.run.events import Event, read_events
from srqueue.run.folder import RunDir
from srqueue.settings import Settings
from srqueue.spec.expand import expand
from srqueue.spec.job import JobSpec, LoggerSpec

MOST = 0.002
"""Share of the time that checkpoints may take."""
GOAL = 0.99
"""Effective share at a kill an hour."""
HOUR = 3600.0
INTERVALS = (15.0, 30.0, 60.0, 90.0)
FORMULA = (
    "effective share = 1 - stall / interval - (until_it_goes_on + interval / 2) / 3600. Half an interval is "
    "lost, since a kill comes at any moment between two saves. until_it_goes_on: from the kill to the next "
    "iteration; of a worker lease, sweep, claim and start, of a trainer alone back-off, doorbell and start"
)
WORK = {
    "small, written between two iterations": {
        "network_g": {"type": "compact", "num_feat": 32, "num_conv": 4},
        "datasets": {"train": {"lq_size": 32, "batch_size": 4}},
    },
    "above 50 MB, written beside the training": {
        "network_g": {"type": "compact", "num_feat": 128, "num_conv": 30},
        "datasets": {"train": {"lq_size": 16, "batch_size": 1}},
    },
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--saves", type=int, default=25, help="of each network")
    parser.add_argument("--starts", type=int, default=5, help="of the small one, for the time they take")
    parser.add_argument("--folder", type=Path, help="keep everything there")


def _spec(place: Place, work: dict) -> JobSpec:
    changes = work | {
        "train": {"total_iter": 1_000_000, "optim_g": {"type": "AdamW", "lr": 1e-4, "betas": [0.9, 0.99]}},
        "val": {"val_freq": 1_000_000},
        "logger": {"print_freq": 1, "save_checkpoint_seconds": 1},
        "compute": {"device": "cpu", "precision": "fp32", "threads": 1},
        "preflight": False,
    }
    overrides = [("benchmark", changes)]
    return expand(dataset_ref(place.registry, DATASET), preset="quick", overrides=overrides).spec


def _saved(run: RunDir, token: int) -> list[Event]:
    found = [e for e, _ in read_events(run.attempt(token).events_file)]
    return [e for e in found if e.kind == "checkpoint"]


def saves(place: Place, name: str, work: dict, count: int) -> dict:
    """Median and largest stall and seconds of `count` saves, and the checkpoint's size."""
    spec = _spec(place, work)
    shutil.rmtree(place.home / f"run-{len(name)}", ignore_errors=True)
    run = prepared(RunDir(place.home / f"run-{len(name)}"), spec, locate(place.registry, spec))
    process = place.trainer(run, 1)
    try:
        patience = 60 + count * 20.0
        until(lambda: len(_saved(run, 1)) > count or process.poll() is not None, "saves", patience, 0.5)
    finally:
        process.kill()
        process.wait()
    found = _saved(run, 1)[1:]  # the first takes memory that the others use again
    if len(found) < count:
        raise SystemExit(f"the trainer ended:\n{run.attempt(1).log_file.read_text()[-2000:]}")
    seconds = [float(e.data["seconds"]) for e in found]
    stalls = [float(e.data.get("stalled", e.data["seconds"])) for e in found]
    interval = LoggerSpec().save_checkpoint_seconds
    stall = statistics.median(stalls)
    row = {
        "megabytes": round(found[-1].data["bytes"] / 1e6, 2), "saves": len(found),
        "seconds_median_and_largest": [round(statistics.median(seconds), 4), round(max(seconds), 4)],
        "stall_median_and_largest": [round(stall, 4), round(max(stalls), 4)],
        "share_at_the_default_interval": round(stall / interval, 6),
        "share_by_the_mean_stall": round(statistics.mean(stalls) / interval, 6),
    }  # fmt: skip
    say(f"{name}: {json.dumps(row)}")
    return row


def start_seconds(place: Place, times: int) -> list[float]:
    """From the start of a trainer's process to its first iteration after a checkpoint was restored."""
    spec = _spec(place, next(iter(WORK.values())))
    run = RunDir(place.home / f"run-{len(next(iter(WORK)))}")
    found = []
    for token in range(2, 2 + times):
        prepared(run, spec, locate(place.registry, spec), run.checkpoint_names()[-1], token)
        begun, process = time.time(), place.trainer(run, token)
        events = run.attempt(token).events_file

        def trained(file: Path = events) -> list[Event]:
            return [e for e, _ in read_events(file) if e.kind == "train"]

        try:
            until(trained, "its first iteration", 120, 0.02)
            found.append(trained()[0].t - begun)
        finally:
            psutil.Process(process.pid).kill()
            process.wait()
    return found


def effective(stall: float, until_it_goes_on: float) -> dict[str, float]:
    """The share of the time that is trained and kept, by the seconds between checkpoints."""
    return {
        f"{interval:g} s": round(1 - stall / interval - (until_it_goes_on + interval / 2) / HOUR, 5)
        for interval in INTERVALS
    }


def _measured(figures: dict | None, what: str, otherwise: float) -> float:
    """Seconds to the next iteration, the median of results/faults_takeover.json, where that has it."""
    rows = (figures or {}).get(f"{what}_median_and_largest", {})
    return rows["to_next_iteration_s"][0] if rows.get("rounds") else otherwise


def main(args: argparse.Namespace) -> bool:
    """Measures, computes, and writes results/faults_overhead.json; whether saves are as cheap as promised."""
    now = machine()
    place = Place(args.folder)
    try:
        rows = {name: saves(place, name, work, args.saves) for name, work in WORK.items()}
        starts = start_seconds(place, args.starts)
        settings: Settings = place.settings
    finally:
        place.close(keep=args.folder is not None)
    start = statistics.median(starts)
    file = RESULTS / "faults_takeover.json"
    measured = json.loads(file.read_text())["figures"] if file.exists() else None
    # Where it was not measured. The first back-off is half to all of what is set, then comes a sweep.
    alone = settings.backoff * 0.75 + settings.sweep / 2 + start
    worker = _measured(measured, "sigkill", settings.lease + alone)
    elsewhere = _measured(measured, "sigkill_elsewhere", settings.lease + alone)
    trainer = _measured(measured, "trainer_sigkill", alone)
    handed = _measured(measured, "sigterm", start)
    stall = max(row["stall_median_and_largest"][0] for row in rows.values())
    default = LoggerSpec().save_checkpoint_seconds
    planned = round(1 - stall / default - handed / HOUR, 5)
    shares = {
        "a worker's processes are killed": effective(stall, worker),
        "the same, seen only by its lease": effective(stall, elsewhere),
        "only the trainer is killed": effective(stall, trainer),
        "a worker is shut down (nothing is lost)": {f"{default:g} s": planned},
    }
    broken = [
        f"{name}: checkpoints take {row['share_at_the_default_interval']:.3%}"
        for name, row in rows.items()
        if row["share_at_the_default_interval"] > MOST
    ]
    figures = {
        "default_seconds_between_checkpoints": default, "checkpoints": rows,
        "start_of_a_trainer_s": round(start, 2),
        "until_it_goes_on_s": {
            "worker killed": round(worker, 2), "the same elsewhere": round(elsewhere, 2),
            "trainer killed": round(trainer, 2),
            "worker shut down": round(handed, 2),
            "measured": "results/faults_takeover.json" if measured else "not: from the settings",
        },
        "formula": FORMULA, "effective_share_at_one_an_hour_by_interval": shares,
        "reach_99_percent": [f"{what}, {interval}" for what, row in shares.items()
                             for interval, share in row.items() if share > GOAL],
        "broken": broken,
    }  # fmt: skip
    write("faults_overhead", f"python -m benchmarks.faults overhead --saves {args.saves}", figures, now)
    return not broken
