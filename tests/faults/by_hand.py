"""A run folder and trainers on it, started by hand: no queue, no Redis."""

import contextlib
import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch

import srqueue
from srqueue.run.folder import CheckpointName, RunDir
from srqueue.run.listing import Listing, Picture, identity_of
from srqueue.run.outcome import Outcome
from tests.faults.forked import Forked
from workers.trainer.checkpoint import read

ROOT = Path(srqueue.__file__).parents[1]
TOTAL, VAL_FREQ = 400, 40
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}


@dataclass
class Job:
    """A run folder and the trainer processes on it."""

    run: RunDir
    listing: str
    processes: list
    given: dict = field(default_factory=dict)  # to every attempt

    def start(self, token, resume=None, supervised=False, code=None, fresh=False):
        """`fresh`: in an interpreter of its own, as workers and users start it; else forked."""
        listings = {"train": self.listing, "val": self.listing}
        given = {"listings": listings, "device": "cpu", "threads": 1, **self.given}
        attempt = self.run.write_attempt(token, resume, **given)
        program = ["-c", code[0], str(code[1])] if code else ["-m", "workers.trainer"]
        argv = [*program, str(self.run.path), "--token", str(token)]
        if supervised:
            argv.append("--supervised")
        start = typed if fresh else Forked
        process = start(argv, supervised, attempt.log_file, ENVIRONMENT, self.run.path)
        self.processes.append(process)
        return process

    def finish(self, token, resume=None, code=None, fresh=False) -> Outcome:
        process = self.start(token, resume, code=code, fresh=fresh)
        assert process.wait(600) == 0, self.run.attempt(token).log_file.read_text()
        return self.outcome(token)

    def outcome(self, token) -> Outcome | None:
        return Outcome.read(self.run.attempt(token).outcome_file)

    def newest(self) -> CheckpointName | None:
        return (self.run.checkpoint_names() or [None])[-1]

    def saved_by(self, token) -> bool:
        return any(name.token == token for name in self.run.checkpoint_names())

    def final_state(self):
        manifest, tensors = read(self.run.checkpoints / str(self.newest()))
        state = {k: v for k, v in manifest.state.items() if k not in ("seq", "seconds", "energy")}
        return state, tensors


def typed(argv, stdin, log, env, cwd):
    """A trainer, started as it is typed."""
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, *argv], stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=file, stderr=file, start_new_session=True, env=env, cwd=cwd,
        )  # fmt: skip


def make_job(folder, pictures, tiny_spec, total=TOTAL, **more) -> Job:
    """A run of `pictures` in a new folder; without `more` with automations and all."""
    found = []
    for file in sorted(pictures.iterdir()):
        data = file.read_bytes()
        digest, held_out = hashlib.sha256(data).hexdigest(), file.stem == "held_out"
        found.append(
            Picture(file.name, 96, 96, len(data), file.stat().st_mtime_ns, digest, held_out=held_out)
        )
    listing = Listing("tiny", identity_of(tuple(found), None), str(pictures), None, None, tuple(found), {})
    listing.write(folder / "tiny.json")
    spec = tiny_spec(listing.identity, total, **(more or automated(total)))
    run = RunDir(folder / "runs" / "job").create()
    run.spec_file.write_text(spec.model_dump_json())
    return Job(run, str(folder / "tiny.json"), [])


def automated(total):
    """The parts of a spec that put much into a run's state."""
    automations = {
        "enabled": True,
        "IntelligentLearningRateScheduler": {"plateau_patience": 60, "improvement_threshold": 1.0},
        "IntelligentEarlyStopping": {"patience": total},
    }
    optim = {"lr": 1e-3}
    train = {"total_iter": total, "warmup_iter": 20, "optim_g": optim, "training_automations": automations}
    return {"train": train, "val": {"val_freq": VAL_FREQ}}


def assert_same(job, undisturbed):
    (state, tensors), (expected_state, expected) = job.final_state(), undisturbed
    assert tensors.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(tensors[name], expected[name])] == []
    assert state == expected_state
    history = [(e.it, e.data["val/psnr"]) for e in job.run.events() if e.kind == "val"]
    assert [it for it, _ in history] == list(range(VAL_FREQ, TOTAL + 1, VAL_FREQ))


def fill(file):
    """Writes until the disk takes no more."""
    with contextlib.suppress(OSError), file.open("ab", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass
