"""Does a job that everything happens to end with the bits of one that nothing happened to?

One job goes through the queue and is paused and resumed, its worker is SIGKILLed and SIGTERMed, Redis is
killed and restarted under it, its trainer is SIGKILLed. Its twin (same spec) trains beside it without a
queue, undisturbed. Then every tensor of the last checkpoints and the exported models are compared.

python -m benchmarks.journey --hr DIR [--iterations 3000] [--preset fidelity] [--arch compact]
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import safetensors.torch
import torch

from benchmarks.machine import machine, write
from srqueue.datasets import Registry, add, check_crop, dataset_ref, locate
from srqueue.queue.client import Client
from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState
from srqueue.settings import load_settings
from srqueue.spec.expand import Expanded, expand
from srqueue.stack.stack import Stack

PATIENCE = 300.0


def until(condition: Callable[[], object], what: str) -> float:
    """Waits for `condition`; seconds it took."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > PATIENCE:
            sys.exit(f"waited {PATIENCE:.0f} s in vain: {what}")
        time.sleep(0.2)
    return round(time.monotonic() - begun, 1)


class Journey:
    """The job that everything happens to."""

    def __init__(self, client: Client, stack: Stack, job_id: str) -> None:
        self.client, self.stack, self.job_id = client, stack, job_id
        self.happened: list[dict] = []

    def job(self):
        """The record now."""
        return self.client.get(self.job_id)

    def iteration(self) -> int:
        """Steps done, by the run folder: true also while Redis is away."""
        lines = [e.it for e in RunDir(self.stack.settings.runs_root / self.job_id).events()]
        return max(lines, default=0)

    def steps_on(self, since: int) -> float:
        """Waits until the job has trained beyond `since`; seconds it took."""
        return until(lambda: self.iteration() > since, f"the job goes on beyond {since}")

    def note(self, what: str, at: int, seconds: float) -> None:
        """One line of the result."""
        self.happened.append({"what": what, "at_iteration": at, "seconds_until_it_went_on": seconds})
        print(json.dumps(self.happened[-1]), flush=True)

    def signal(self, service: str, number: signal.Signals) -> None:
        """Sends a signal to a service's main process and waits for its end."""
        process = self.stack.pid_file(service).process()
        process.send_signal(number)
        process.wait(60)

    def pause(self, at: int) -> None:
        """Pause, then resume."""
        self.client.pause(self.job_id)
        until(lambda: self.job().state is JobState.PAUSED, "the job is paused")
        stood = self.iteration()
        self.client.resume(self.job_id)
        self.note("paused and resumed", at, self.steps_on(stood))

    def kill_worker(self, at: int) -> None:
        """SIGKILL; another worker takes over when the lease has run out."""
        self.signal("worker", signal.SIGKILL)
        stood = self.iteration()
        begun = time.monotonic()
        self.stack.up(["worker"])
        self.steps_on(stood)
        self.note("worker SIGKILLed", at, round(time.monotonic() - begun, 1))

    def end_worker(self, at: int) -> None:
        """SIGTERM; the job is handed back, and another worker goes on."""
        begun = time.monotonic()
        self.signal("worker", signal.SIGTERM)
        stood = self.iteration()
        self.stack.up(["worker"])
        self.steps_on(stood)
        self.note("worker SIGTERMed", at, round(time.monotonic() - begun, 1))

    def restart_redis(self, at: int) -> None:
        """SIGKILL, ten seconds without, restart from the append-only file."""
        attempts = self.job().attempts
        self.signal("server", signal.SIGKILL)
        went_on = self.steps_on(at)
        time.sleep(10)
        self.stack.up(["server"])
        until(lambda: self.job().iteration > at, "the record catches up")
        if self.job().attempts != attempts:
            sys.exit("the restart of Redis touched a healthy run")
        self.note("Redis SIGKILLed and restarted (the same attempt went on)", at, went_on)

    def kill_trainer(self, at: int) -> None:
        """SIGKILL of the child process."""
        run = RunDir(self.stack.settings.runs_root / self.job_id)
        psutil.Process(run.attempts()[-1].read()["trainer"]["pid"]).kill()
        self.note("trainer SIGKILLed", at, self.steps_on(self.iteration()))


def twin(home: Path, expanded: Expanded, registry: Registry) -> tuple[RunDir, subprocess.Popen]:
    """The undisturbed run, in a process without any queue."""
    run = RunDir(home / "undisturbed").create()
    run.spec_file.write_text(expanded.spec.model_dump_json())
    run.write_attempt(1, None, listings=locate(registry, expanded.spec), device="cpu", threads=1)
    command = [sys.executable, "-m", "workers.trainer", str(run.path), "--token", "1"]
    log = run.attempt(1).log_file.open("w")
    return run, subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"})


def newest(run: RunDir) -> tuple[str, dict[str, torch.Tensor]]:
    """Iteration and tensors of the last checkpoint."""
    name = run.checkpoint_names()[-1]
    return f"it{name.iteration}", safetensors.torch.load_file(
        run.checkpoints / str(name) / "state.safetensors"
    )


def model_digest(run: RunDir) -> str:
    """SHA-256 of the exported weights, names and bytes."""
    tensors = safetensors.torch.load_file(next(run.export.glob("*.safetensors")))
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].numpy().tobytes())
    return digest.hexdigest()


def main() -> None:
    """Runs both and writes results/journey.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hr", type=Path, required=True, help="folder of pictures")
    parser.add_argument("--iterations", type=int, default=3000)
    parser.add_argument("--preset", default="fidelity")
    parser.add_argument("--arch", default="compact")
    args = parser.parse_args()
    now = machine()
    with tempfile.TemporaryDirectory(prefix="srq-") as folder:
        home = Path(folder)
        os.environ |= {"SRQUEUE_HOME": folder, "SRQUEUE_DATASETS": str(home / "datasets.yaml")}
        settings = load_settings()
        entry, registry = add(settings, "cc0", args.hr), Registry(settings)
        override = {"train": {"total_iter": args.iterations}}
        expanded = expand(
            dataset_ref(registry, "cc0"),
            preset=args.preset,
            architecture=args.arch,
            overrides=[("flag --set", override)],
        )
        train = expanded.spec.datasets.train
        print(check_crop(registry, entry, train.lq_size, expanded.spec.scale), flush=True)
        stack = Stack(settings)
        stack.up(["server", "worker"])
        plain, process = twin(home, expanded, registry)
        try:
            client = Client(settings)
            journey = Journey(client, stack, client.submit(expanded).job.id)
            acts = [
                journey.pause, journey.kill_worker, journey.end_worker, journey.restart_redis,
                journey.kill_trainer,
            ]  # fmt: skip
            for place, act in enumerate(acts):
                act(at_least(journey, (place + 1) * args.iterations // 20))
            record = client.wait(journey.job_id)
            if process.wait() != 0:
                sys.exit(plain.attempt(1).log_file.read_text())
        finally:
            stack.down()
            if process.poll() is None:
                process.kill()
        run = RunDir(settings.runs_root / journey.job_id)
        (place, ours), (twins_place, theirs) = newest(run), newest(plain)
        differing = [n for n in ours.keys() | theirs.keys() if not _equal(ours.get(n), theirs.get(n))]
        figures = {
            "happened": journey.happened,
            "attempts": record.attempts,
            "ended": f"{record.state}, {record.reason} at {place}; the twin at {twins_place}",
            "tensors_compared": len(theirs),
            "tensors_differing": len(differing),
            "exported_models_equal": model_digest(run) == model_digest(plain),
            "psnr_y_best_over_bicubic_db": [record.metrics["best/psnr"], record.metrics["bicubic/psnr"]],
        }
    command = f"python -m benchmarks.journey --hr DIR --iterations {args.iterations}"
    write("journey", f"{command} --preset {args.preset} --arch {args.arch}", figures, now)
    sys.exit(bool(differing or place != twins_place or not figures["exported_models_equal"]))


def at_least(journey: Journey, iteration: int) -> int:
    """Waits until the job is at `iteration`; where it really is then."""
    until(lambda: journey.iteration() >= iteration, f"iteration {iteration}")
    return journey.iteration()


def _equal(one: torch.Tensor | None, two: torch.Tensor | None) -> bool:
    return one is not None and two is not None and torch.equal(one, two)


if __name__ == "__main__":
    main()
