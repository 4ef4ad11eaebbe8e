"""Run folders for whole attempts in one process."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch
from safetensors.numpy import load_file

from srqueue.datasets import Registry, locate
from srqueue.queue.campaigns import CampaignClient
from srqueue.queue.client import Client
from srqueue.run.folder import RunDir
from srqueue.run.listing import Listing, Picture, identity_of
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.settings import Settings
from srqueue.spec.job import JobSpec
from workers.trainer import checkpoint
from workers.trainer.attempt import run_attempt
from workers.trainer.optim.ema import Ema
from workers.trainer.stopping import StopRequest


@pytest.fixture
def campaigns(settings, tiny_dataset):
    """The verbs of campaigns, and a data set for their cells."""
    tiny_dataset(settings)
    return CampaignClient(Client(settings))


@dataclass
class Job:
    """A run folder and attempts at it."""

    run: RunDir
    listing_file: str

    def attempt(self, token=1, resume=None, stop=None, device="cpu") -> Outcome:
        listings = {"train": self.listing_file, "val": self.listing_file}
        attempt = self.run.write_attempt(token, resume, listings=listings, device=device, threads=1)
        code = run_attempt(self.run, attempt, stop or StopRequest())
        outcome = Outcome.read(attempt.outcome_file)
        assert code == (1 if outcome.reason is StopReason.CRASHED else 0)
        return outcome

    def resume(self, token, **more) -> Outcome:
        return self.attempt(token, self.run.checkpoint_names()[-1], **more)

    def events(self, kind, token=1):
        lines = self.run.attempt(token).events_file.read_text().splitlines()
        return [e for e in map(json.loads, lines) if e["kind"] == kind]

    def messages(self, token=1):
        return [e["data"]["text"] for e in self.events("message", token)]

    def tensors(self, name=None):
        """Manifest and tensors of the newest checkpoint, or of a named one."""
        return checkpoint.read(self.run.checkpoints / str(name or self.run.checkpoint_names()[-1]))

    def differing(self, other):
        """Names of tensors that are not the same, bit by bit, at the end of two runs."""
        ours, theirs = self.tensors()[1], other.tensors()[1]
        both = ours.keys() & theirs.keys()
        return sorted(ours.keys() ^ theirs.keys()) + [n for n in both if not torch.equal(ours[n], theirs[n])]


@pytest.fixture
def own_pictures(pictures, tmp_path):
    """A copy of the pictures that a test may spoil."""
    folder = tmp_path / "hr"
    folder.mkdir()
    for file in pictures.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.fixture
def new_job(tmp_path, own_pictures, tiny_spec):
    """Makes a run folder for `tiny_spec`, changed by dotted keys."""

    def make(total_iter=40, name="job", **changes) -> Job:
        found = []
        for file in sorted(own_pictures.iterdir()):
            data, stat = file.read_bytes(), file.stat()
            digest = hashlib.sha256(data).hexdigest()
            held_out = file.stem == "held_out"
            found.append(Picture(file.name, 96, 96, len(data), stat.st_mtime_ns, digest, held_out=held_out))
        listing = Listing(
            "tiny", identity_of(tuple(found), None), str(own_pictures), None, None, tuple(found), {}
        )
        listing.write(tmp_path / "tiny.json")
        raw = json.loads(tiny_spec(listing.identity, total_iter).model_dump_json())
        for dotted, value in changes.items():
            *path, last = dotted.split("__")
            section = raw
            for key in path:
                section = section[key]
            section[last] = value
        run = RunDir(tmp_path / "runs" / name).create()
        run.spec_file.write_text(JobSpec.model_validate(raw).model_dump_json())
        return Job(run, str(tmp_path / "tiny.json"))

    return make


@pytest.fixture
def stop_at(monkeypatch):
    """Attempts at a job with a stop request that arrives while iteration `iteration` is computed."""

    def attempt(job, token, iteration, reason):
        stop, real = StopRequest(), Ema.update

        def update(self, done):
            real(self, done)
            if done == iteration:
                stop.ask(reason)

        with monkeypatch.context() as patch:
            patch.setattr(Ema, "update", update)
            resume = (job.run.checkpoint_names() or [None])[-1]
            return job.attempt(token, resume, stop=stop)

    return attempt


class Typed:
    """Runs srqueue in a home folder of its own."""

    def __init__(self, folder):
        self.settings = Settings(home=folder / "home", datasets=folder / "datasets.yaml")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("SRQUEUE_")} | {
            "SRQUEUE_HOME": str(self.settings.home),
            "SRQUEUE_DATASETS": str(self.settings.datasets),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
        }

    def __call__(self, *args, code=0, **env):
        done = subprocess.run(
            [sys.executable, "-m", "srqueue.cli", *map(str, args)],
            capture_output=True,
            text=True,
            env={**self.env, **env},
            timeout=200,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def record(self, job):
        return json.loads(self("show", job, "--json").stdout)


@pytest.fixture(scope="session")
def typed():
    """Makes a command line with a home of its own: typed(folder)."""
    return Typed


def left_by(run, total):
    """What a completed run left, bit by bit: the exported model, and the state of its last checkpoint."""
    outcome = Outcome.read(run.attempts()[-1].outcome_file)
    assert outcome is not None and (outcome.reason, outcome.iteration) == (StopReason.COMPLETED, total)
    newest = run.checkpoints / str(run.checkpoint_names()[-1])
    files = {"model": run.path / str(outcome.export), "state": newest / "state.safetensors"}
    return {f"{part}/{k}": v.tobytes() for part, file in files.items() for k, v in load_file(file).items()}


@pytest.fixture(name="left_by", scope="session")
def _left_by():
    return left_by


_twins = {}


@pytest.fixture
def twin(tmp_path):
    """What the undisturbed twin of a spec leaves: trained once a session, by hand, without a queue."""

    def train(settings, spec):
        name = spec.model_dump_json()
        if name not in _twins:
            run = RunDir(tmp_path / "by-hand").create()
            run.spec_file.write_text(name)
            listings = locate(Registry(settings), spec)
            run.write_attempt(1, None, listings=listings, device="cpu", threads=1, host="h", supervisor_pid=0)
            subprocess.run([sys.executable, "-m", "workers.trainer", run.path, "--token", "1"], check=True)
            _twins[name] = left_by(run, spec.train.total_iter)
        return _twins[name]

    return train
