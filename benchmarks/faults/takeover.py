"""How long does a job stand still when its worker dies, or is shut down, and what is trained again?

Two real workers with the settings as they are by default: one trains, the other waits. SIGKILL to all
processes of the first, round after round, so that the other takes the job; then to the trainer alone; then
SIGTERM to the main process, which saves and hands the job back.
"""

import argparse
import random
import shutil
import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.faults.fleet import Family, Worker, send
from benchmarks.faults.place import DATASET, Place, say, until
from benchmarks.machine import machine, write
from srqueue.datasets import dataset_ref
from srqueue.queue.client import Client
from srqueue.run.events import Event, read_events
from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState
from srqueue.spec.expand import Expanded, expand

PATIENCE = 240.0
WITHIN = 5.0
"""Seconds that a takeover may need beyond the lease."""
HAND_BACK = 2.0
"""Seconds that a hand-back may need beyond its save."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--kills", type=int, default=6, help="rounds with SIGKILL, half a minute each")
    parser.add_argument("--elsewhere", type=int, default=4, help="as if on another machine, a minute each")
    parser.add_argument("--trainer-kills", type=int, default=4, help="the same to the trainer alone")
    parser.add_argument("--hand-backs", type=int, default=6, help="rounds with SIGTERM, some seconds each")
    parser.add_argument("--interval", type=float, default=20, help="seconds between two checkpoints")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep everything there")


class Match:
    """The job, and the two workers that it goes to and fro between."""

    def __init__(self, place: Place, interval: float) -> None:
        self.place, self.client = place, Client(place.settings)
        self.workers = [Worker(place, name, proxied=False) for name in ("w1", "w2")]
        self.job = self.client.submit(_job(place, interval)).job.id
        self.run = RunDir(place.settings.runs_root / self.job)

    def start(self) -> None:
        """Both workers, and the training."""
        for worker in self.workers:
            worker.start()
        self.both_ready()

    def both_ready(self) -> None:
        """Waits until one trains, well beyond its first iteration, and the other is idle."""
        until(lambda: all(w.ready for w in self.workers), "both workers are ready", PATIENCE)
        until(lambda: len(self.trained(self.token())) >= 3, "the job is trained", PATIENCE)

    def token(self) -> int:
        """Of the attempt that the record knows."""
        return self.client.get(self.job).token

    def owner(self) -> tuple[Worker, Worker]:
        """(who trains, who waits)."""
        name = str(self.client.get(self.job).owner).partition("@")[0]
        one, two = self.workers
        return (one, two) if one.name == name else (two, one)

    def events(self, token: int) -> list[Event]:
        """Of one attempt, from its file."""
        return [e for e, _ in read_events(self.run.attempt(token).events_file)]

    def trained(self, token: int) -> list[Event]:
        """One event an iteration."""
        return [e for e in self.events(token) if e.kind == "train"]

    def saves(self, token: int) -> list[Event]:
        """One event a checkpoint."""
        return [e for e in self.events(token) if e.kind == "checkpoint"]

    def follow(self, before: int, begun: float) -> tuple[float, float]:
        """(seconds from `begun` to the next attempt's claim, to its first iteration). UTC seconds."""
        claimed = 0.0

        def taken() -> bool:
            nonlocal claimed
            job = self.client.get(self.job)
            claimed = time.time() - begun
            if job.state.final:
                raise SystemExit(f"the job ended as {job.state}: {job.message}")
            return job.token > before and job.state is JobState.RUNNING

        until(taken, "another worker claims the job", PATIENCE, 0.02)
        until(lambda: self.trained(self.token()), "it is trained again", PATIENCE, 0.05)
        return claimed, self.trained(self.token())[0].t - begun


def _job(place: Place, interval: float) -> Expanded:
    """Endless, with a line each iteration, of which there are some a second."""
    changes = {
        "network_g": {"type": "compact", "num_feat": 48, "num_conv": 6},
        "datasets": {"train": {"lq_size": 32, "batch_size": 8}},
        "train": {"total_iter": 1_000_000, "optim_g": {"type": "AdamW", "lr": 1e-4, "betas": [0.9, 0.99]}},
        "val": {"val_freq": 1_000_000},
        "logger": {"print_freq": 1, "save_checkpoint_seconds": interval},
        "compute": {"device": "cpu", "precision": "fp32", "threads": 1},
        "preflight": False,
    }
    return expand(dataset_ref(place.registry, DATASET), preset="quick", overrides=[("benchmark", changes)])


def worker_killed(match: Match, rng: random.Random, interval: float) -> dict[str, float]:
    """SIGKILL to all of a worker's processes."""
    return _killed(match, rng, interval, lambda family: family.all)


def worker_killed_elsewhere(match: Match, rng: random.Random, interval: float) -> dict[str, float]:
    """The same, but the other worker cannot see that the process is gone: it must wait for the lease."""
    store = match.client.store
    store.connection.redis.hset(store.keys.job(match.job), "machine", "")
    return worker_killed(match, rng, interval)


def trainer_killed(match: Match, rng: random.Random, interval: float) -> dict[str, float]:
    """SIGKILL to the trainer; its worker says so, and either one goes on."""
    return _killed(match, rng, interval, lambda family: family.trainers)


def _killed(
    match: Match, rng: random.Random, interval: float, whom: Callable[[Family], list[psutil.Process]]
) -> dict[str, float]:
    """SIGKILL at a random moment between two checkpoints."""
    token = match.token()
    until(lambda: match.saves(token), "a checkpoint", PATIENCE)
    time.sleep(rng.uniform(0, interval))
    worker, _ = match.owner()
    victims = whom(worker.family())
    begun = time.time()
    send(victims, signal.SIGKILL)
    last = match.trained(token)[-1]
    claimed, trained = match.follow(token, begun)
    resumed = next(e for e in match.events(match.token()) if e.data.get("phase") == "restored")
    save = max((e for e in match.saves(token) if e.it <= resumed.it), key=lambda e: e.it)
    if worker.ended:
        worker.start()
    return {
        "to_claim_s": claimed, "to_next_iteration_s": trained, "claim_to_iteration_s": trained - claimed,
        "lost_iterations": last.it - resumed.it, "lost_s": max(last.t - save.t, 0.0),
    }  # fmt: skip


def shut_down(match: Match, rng: random.Random, interval: float) -> dict[str, float]:
    """SIGTERM at a random moment; it saves, and hands the job back."""
    token = match.token()
    time.sleep(rng.uniform(0, 3))
    worker, _ = match.owner()
    begun = time.time()
    worker.signal(signal.SIGTERM)
    claimed, trained = match.follow(token, begun)
    save = float(match.saves(token)[-1].data["seconds"])
    resumed = next(e for e in match.events(match.token()) if e.data.get("phase") == "restored")
    until(lambda: worker.ended, "the worker ends", PATIENCE)
    worker.start()
    return {
        "to_claim_s": claimed, "save_s": save, "to_claim_without_the_save_s": claimed - save,
        "to_next_iteration_s": trained,
        "lost_iterations": match.trained(token)[-1].it - resumed.it,
    }  # fmt: skip


Round = Callable[[Match, random.Random, float], dict[str, float]]


def _rounds(match: Match, round_: Round, what: str, times: int, rng: random.Random, interval: float) -> list:
    rows = []
    for number in range(times):
        match.both_ready()
        rows.append(round_(match, rng, interval))
        say(f"{what} {number + 1} of {times}: " + ", ".join(f"{k} {v:.2f}" for k, v in rows[-1].items()))
    return rows


def _summed_up(rows: list[dict[str, float]]) -> dict[str, list[float]]:
    """[median, largest] of each figure."""
    return {
        key: [round(statistics.median(values), 2), round(max(values), 2)]
        for key in (rows[0] if rows else {})
        for values in [[row[key] for row in rows]]
    }


def main(args: argparse.Namespace) -> bool:
    """Runs the rounds and writes results/faults_takeover.json; whether the promises were kept."""
    now = machine()
    place, rng = Place(args.folder), random.Random(args.seed)
    try:
        for left in (place.server.folder, place.settings.runs_root):
            shutil.rmtree(left, ignore_errors=True)
        place.server.start()
        match = Match(place, args.interval)
        match.start()
        kills = _rounds(match, worker_killed, "SIGKILL", args.kills, rng, args.interval)
        elsewhere = _rounds(
            match, worker_killed_elsewhere, "SIGKILL elsewhere", args.elsewhere, rng, args.interval
        )
        trainers = _rounds(
            match, trainer_killed, "SIGKILL to the trainer", args.trainer_kills, rng, args.interval
        )
        hand_backs = _rounds(match, shut_down, "SIGTERM", args.hand_backs, rng, args.interval)
    finally:
        place.close(keep=args.folder is not None)
    lease = place.settings.lease
    slow = [r["to_claim_s"] for r in kills + elsewhere if r["to_claim_s"] > lease + WITHIN]
    lost = [r["lost_s"] for r in [*kills, *elsewhere, *trainers] if r["lost_s"] > args.interval + 2]
    late = [r for r in hand_backs if r["to_claim_without_the_save_s"] > HAND_BACK or r["lost_iterations"]]
    broken = [f"claimed {s:.1f} s after SIGKILL, with a lease of {lease:g} s" for s in slow]
    broken += [f"{s:.1f} s of work lost, with {args.interval:g} s between checkpoints" for s in lost]
    broken += [f"hand-back after {r['to_claim_s']:.2f} s with a save of {r['save_s']:.2f} s, "
               f"{r['lost_iterations']} iterations lost" for r in late]  # fmt: skip
    figures = {
        "lease_seconds": lease, "seconds_between_checkpoints": args.interval,
        "sigkill_median_and_largest": {"rounds": len(kills), **_summed_up(kills)},
        "sigkill_elsewhere_median_and_largest": {"rounds": len(elsewhere), **_summed_up(elsewhere)},
        "trainer_sigkill_median_and_largest": {"rounds": len(trainers), **_summed_up(trainers)},
        "sigterm_median_and_largest": {"rounds": len(hand_backs), **_summed_up(hand_backs)},
        "promised": {"claim_after_sigkill_s": lease + WITHIN, "hand_back_beyond_its_save_s": HAND_BACK,
                     "lost_at_sigkill_s": args.interval},
        "broken": broken,
    }  # fmt: skip
    rounds = f"--kills {args.kills} --elsewhere {args.elsewhere} --hand-backs {args.hand_backs}"
    command = f"takeover {rounds} --interval {args.interval:g}"
    write("faults_takeover", f"python -m benchmarks.faults {command} --seed {args.seed}", figures, now)
    return not broken
