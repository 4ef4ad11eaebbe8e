"""Is a checkpoint ever taken that is torn, when the trainer is killed again and again in the midst of saves?

One run saves every few iterations. When the `tmp-` folder of a save appears (three times in four) or the
renamed checkpoint, SIGKILL follows 0 to 20 ms later, and the next start goes on from what is there. Each
kill's remains are judged with hashlib alone, and the end is compared with an undisturbed twin. So that
hundreds of starts take minutes, trainers are forked from a process that has imported torch already; the
twin is an ordinary process, so equal bits also say that this makes no difference.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from benchmarks.faults.evidence import differences, litter, same_validations, whole, whole_ones
from benchmarks.faults.place import DATASET, Place, prepared, say
from benchmarks.machine import machine, write
from srqueue.datasets import Registry, dataset_ref, locate
from srqueue.run.folder import AttemptDir, CheckpointName, RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.spec.expand import expand
from srqueue.spec.job import JobSpec

LATEST = 0.020
"""Seconds from the beginning of a save to the kill, at most."""
LATE_SHARE = 0.25
"""Of the kills that wait for the renamed checkpoint: old ones are deleted then."""
SAVES_A_LIFE = 3
"""A life is ended in one of its first so many saves."""
ITERATIONS_A_SAVE = 2
PATIENCE = 120.0
PEERS = "5 to 8 crashed resumes in 20 (measured on peer trainers before; not repeated here)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the aimed kills."""
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep everything there")


@dataclass
class Findings:
    """What the kills left."""

    left: Counter[str] = field(default_factory=Counter)
    torn_taken: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    torn_left: list[str] = field(default_factory=list)
    half_pruned: int = 0
    set_aside: int = 0
    resumed: int = 0

    @property
    def broken(self) -> list[str]:
        """What must not be."""
        aside = [f"{self.set_aside} checkpoints were set aside as damaged"] if self.set_aside else []
        return [*self.torn_taken, *self.torn_left, *self.crashed, *self.lost, *aside]


def spec_of(registry: Registry, kills: int) -> JobSpec:
    """A state of about 5 MB; so long that it cannot end before the last kill."""
    changes = {
        "network_g": {"type": "compact", "num_feat": 64, "num_conv": 6},
        "datasets": {"train": {"lq_size": 16, "batch_size": 2}},
        "train": {
            "total_iter": ITERATIONS_A_SAVE * (kills * SAVES_A_LIFE + 5), "warmup_iter": 10,
            "optim_g": {"type": "AdamW", "lr": 5e-4, "betas": [0.9, 0.99]}, "ema_decay": 0.99,
        },
        "val": {"val_freq": ITERATIONS_A_SAVE},
        "logger": {"print_freq": ITERATIONS_A_SAVE},
        "compute": {"device": "cpu", "precision": "fp32", "threads": 1},
        "preflight": False,
    }  # fmt: skip
    return expand(dataset_ref(registry, DATASET), preset="quick", overrides=[("benchmark", changes)]).spec


def train_here(run: str, token: int, log: str) -> None:
    """In a forked process: what `python -m workers.trainer` does."""
    from workers.trainer.__main__ import main as trainer

    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    # As in a process of its own: without this the fork server's end of a pipe would stay its stdin.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.exit(trainer([run, "--token", str(token)]))


class Lives:
    """The lives of one run, each an attempt that ends by a kill, but for the last."""

    def __init__(self, place: Place, run: RunDir, spec: JobSpec, seed: int) -> None:
        self.run, self.spec, self.found = run, spec, Findings()
        self._listings = locate(place.registry, spec)
        self._rng = random.Random(seed)
        self._forks = multiprocessing.get_context("forkserver")
        self._forks.set_forkserver_preload(["torch._inductor", "workers.trainer.attempt"])
        self._token = 0

    def killed(self) -> None:
        """One life that is killed in one of its saves."""
        before = whole_ones(self.run)
        attempt, process = self._start()
        saves, wait = self._rng.randint(1, SAVES_A_LIFE), self._rng.uniform(0, LATEST)
        seen = self._save_begins(process, saves, renamed=self._rng.random() < LATE_SHARE)
        if seen:
            limit = time.perf_counter() + wait
            while time.perf_counter() < limit:
                pass
        process.kill()
        process.join()
        if not seen or process.exitcode != -signal.SIGKILL:
            self.found.crashed.append(f"attempt {attempt.token} ended by itself: {_end_of(attempt.log_file)}")
        self._judge(attempt, before, killed=True)

    def last(self) -> None:
        """The life that trains to the end."""
        before = whole_ones(self.run)
        attempt, process = self._start()
        process.join()
        self._judge(attempt, before, killed=False)
        outcome = Outcome.read(attempt.outcome_file)
        if outcome is None or outcome.reason is not StopReason.COMPLETED:
            self.found.crashed.append(f"the last attempt did not complete: {_end_of(attempt.log_file)}")

    def _start(self) -> tuple[AttemptDir, BaseProcess]:
        names = self.run.checkpoint_names()
        self._token += 1
        prepared(self.run, self.spec, self._listings, names[-1] if names else None, self._token)
        attempt = self.run.attempt(self._token)
        arguments = (str(self.run.path), self._token, str(attempt.log_file))
        process = self._forks.Process(target=train_here, args=arguments)
        process.start()
        return attempt, process

    def _save_begins(self, process: BaseProcess, saves: int, renamed: bool) -> bool:
        """Waits until this attempt's save of that number has begun, or was renamed; False where it ended."""
        mark, seen = f"-t{self._token}", set()
        limit = time.monotonic() + PATIENCE
        while process.is_alive() and time.monotonic() < limit:
            for name in os.listdir(self.run.checkpoints):  # noqa: PTH208 (pathlib is too slow here)
                if name.endswith(mark) and not (renamed and name.startswith("tmp-")):
                    seen.add(name.removeprefix("tmp-"))
            if len(seen) >= saves:
                return True
            time.sleep(0.0003)
        return False

    def _judge(self, attempt: AttemptDir, before: list[CheckpointName], killed: bool) -> None:
        """What this life resumed from, and what it left."""
        found, run = self.found, self.run
        events = _events(attempt.events_file)
        begun = next((e for e in events if e["data"].get("phase") in ("started", "restored")), None)
        where = f"attempt {attempt.token}"
        if begun is None:
            found.crashed.append(f"{where} did not get as far as its checkpoint: {_end_of(attempt.log_file)}")
        elif begun["data"]["phase"] == "restored":
            found.resumed += 1
            taken = (begun["data"]["from_token"], begun["data"]["seq"])
            if taken not in [name.order for name in before]:
                found.torn_taken.append(f"{where} went on from {taken}, whose SHA-256 is wrong")
            elif taken != before[-1].order:
                found.lost.append(f"{where} went on from {taken}, not from {before[-1]}")
        elif before:
            found.lost.append(f"{where} began anew, though {before[-1]} was whole")
        if "is damaged" in attempt.log_file.read_text(errors="replace"):
            found.set_aside += 1
        names = run.checkpoint_names()
        told = [e["data"] for e in events if e["kind"] == "checkpoint"]
        if told and not whole(run.checkpoints / told[-1]["name"]):
            found.lost.append(f"{where} told of {told[-1]['name']}, which is not whole")
        torn = [n for n in names if not whole(run.checkpoints / str(n))]
        if torn and torn[-1] == names[-1]:
            found.torn_left.append(f"{where} left its newest checkpoint torn: {torn[-1]}")
        found.half_pruned += len(torn)
        if killed:
            found.left[_remains(run, [str(n) for n in names if n.token == attempt.token], told)] += 1


def _remains(run: RunDir, own: list[str], told: list[dict]) -> str:
    """Where in a save the kill came, by what it left."""
    for half in run.checkpoints.glob("tmp-*"):
        if (half / "manifest.json").exists():
            return "tmp- folder with a manifest"
        return "tmp- folder without a manifest"
    untold = own and own[-1] not in [data["name"] for data in told]
    return "renamed, not yet told" if untold else "between two saves"


def _events(file: Path) -> list[dict]:
    lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
    return [json.loads(line) for line in lines]


def _end_of(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:]) if log.exists() else "no log"


def main(args: argparse.Namespace) -> bool:
    """Kills, ends, compares, and writes results/faults_aimed.json; whether nothing was broken."""
    now = machine()
    place = Place(args.folder)
    keep = True
    try:
        spec = spec_of(place.registry, args.kills)
        run = RunDir(place.home / "killed")
        shutil.rmtree(run.path, ignore_errors=True)
        lives = Lives(place, run.create(), spec, args.seed)
        begun = time.monotonic()
        for number in range(1, args.kills + 1):
            lives.killed()
            if number % 10 == 0:
                say(f"{number} kills in {time.monotonic() - begun:.0f} s: {dict(lives.found.left)}")
        size = max(f.stat().st_size for f in lives.run.checkpoints.glob("*/state.safetensors"))
        lives.last()
        say("trained to its end; now the undisturbed twin")
        shutil.rmtree(place.home / "twin", ignore_errors=True)
        twin = prepared(RunDir(place.home / "twin"), spec, locate(place.registry, spec))
        if place.trainer(twin, 1).wait() != 0:
            raise SystemExit(f"the twin failed: {_end_of(twin.attempt(1).log_file)}")
        compared, differing = differences(lives.run, twin)
        found = lives.found
        broken = [*found.broken, *(f"differs from its twin in {d}" for d in differing), *litter(lives.run)]
        if not same_validations(lives.run, twin):
            broken.append("the history of validations differs from the twin's")
        within = sum(count for what, count in found.left.items() if what != "between two saves")
        figures = {
            "kills": args.kills, "seed": args.seed, "state_megabytes": round(size / 1e6, 1),
            "kills_within_a_save": within, "where_the_kills_came": dict(found.left),
            "resumed": found.resumed, "torn_states_taken": len(found.torn_taken),
            "crashed_resumes": len(found.crashed), "lost_checkpoints": len(found.lost),
            "old_ones_half_deleted_by_a_kill": found.half_pruned,
            "set_aside_as_damaged": found.set_aside, "tensors_compared": compared,
            "tensors_and_state_differing": len(differing), "peers": PEERS, "broken": broken,
        }  # fmt: skip
        write("faults_aimed", f"python -m benchmarks.faults aimed --kills {args.kills} --seed {args.seed}",
              figures, now)  # fmt: skip
        keep = bool(broken) or args.folder is not None
    finally:
        place.close(keep)
    for text in broken:
        print(f"BROKEN: {text}", file=sys.stderr)
    return not broken
