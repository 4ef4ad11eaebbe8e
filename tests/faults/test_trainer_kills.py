"""Real trainer processes, ended in every way: the run still ends with the bits of an undisturbed one."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import torch

import srqueue
from srqueue.run.folder import CheckpointName, RunDir
from srqueue.run.listing import Listing, Picture, identity_of
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from workers.trainer.checkpoint import read
from workers.trainer.commit_points import COMMIT_POINTS

ROOT = Path(srqueue.__file__).parents[1]
TOTAL, VAL_FREQ = 400, 40
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}

# Kills itself at a point of the second save.
KILLED_IN_A_SAVE = """
import sys
from workers.trainer import commit_points
from workers.trainer.__main__ import main

commit_points.arm(2, sys.argv.pop(1))
sys.exit(main())
"""

# Trains with a sample that is not a number, so that the run goes back once; kills itself in that roll-back:
# 1 before it is saved, 2 within that save, 3 right after it, 0 never.
GOING_BACK = """
import os, signal, sys
from workers.trainer import checkpoint, saving
from workers.trainer.__main__ import main
from workers.trainer.data.batches import Batches

point = int(sys.argv.pop(1))
real_batch, real_commit = Batches.__getitem__, saving.commit

def getitem(self, sample):
    lr, hr = real_batch(self, sample)
    return lr, hr * (float("nan") if sample == 170 else 1)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def half(path, data):
    path.write_bytes(data[: len(data) // 2])
    die()

def commit(folder, tensors, manifest):
    first = manifest.state["rollbacks"] == 1 and manifest.state["iteration"] < 160
    if first and point == 1:
        die()
    if first and point == 2:
        checkpoint._write_manifest = half
    written = real_commit(folder, tensors, manifest)
    if first and point == 3:
        die()
    return written

Batches.__getitem__, saving.commit = getitem, commit
sys.exit(main())
"""


@dataclass
class Job:
    """A run folder and the trainer processes on it."""

    run: RunDir
    listing: str
    processes: list

    def start(self, token, resume=None, supervised=False, code=None):
        listings = {"train": self.listing, "val": self.listing}
        attempt = self.run.write_attempt(token, resume, listings=listings, device="cpu", threads=1)
        program = ["-c", code[0], str(code[1])] if code else ["-m", "workers.trainer"]
        argv = [sys.executable, *program, str(self.run.path), "--token", str(token)]
        with attempt.log_file.open("wb") as log:
            process = subprocess.Popen(
                [*argv, "--supervised"] if supervised else argv,
                stdin=subprocess.PIPE if supervised else subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env=ENVIRONMENT, cwd=self.run.path,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def finish(self, token, resume=None, code=None) -> Outcome:
        process = self.start(token, resume, code=code)
        assert process.wait(120) == 0, self.run.attempt(token).log_file.read_text()
        return self.outcome(token)

    def outcome(self, token) -> Outcome | None:
        return Outcome.read(self.run.attempt(token).outcome_file)

    def newest(self) -> CheckpointName | None:
        return (self.run.checkpoint_names() or [None])[-1]

    def saved_by(self, token) -> bool:
        return any(name.token == token for name in self.run.checkpoint_names())

    def final_state(self):
        manifest, tensors = read(self.run.checkpoints / str(self.newest()))
        state = {k: v for k, v in manifest.state.items() if k not in ("seq", "seconds")}
        return state, tensors


def make_job(folder, pictures, tiny_spec) -> Job:
    found = []
    for file in sorted(pictures.iterdir()):
        data = file.read_bytes()
        digest, held_out = hashlib.sha256(data).hexdigest(), file.stem == "held_out"
        found.append(
            Picture(file.name, 96, 96, len(data), file.stat().st_mtime_ns, digest, held_out=held_out)
        )
    listing = Listing("tiny", identity_of(tuple(found), None), str(pictures), None, None, tuple(found), {})
    listing.write(folder / "tiny.json")
    automations = {
        "enabled": True,
        "IntelligentLearningRateScheduler": {"plateau_patience": 60, "improvement_threshold": 1.0},
        "IntelligentEarlyStopping": {"patience": TOTAL},
    }
    optim = {"lr": 1e-3}
    train = {"total_iter": TOTAL, "warmup_iter": 20, "optim_g": optim, "training_automations": automations}
    spec = tiny_spec(listing.identity, TOTAL, train=train, val={"val_freq": VAL_FREQ})
    run = RunDir(folder / "runs" / "job").create()
    run.spec_file.write_text(spec.model_dump_json())
    return Job(run, str(folder / "tiny.json"), [])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, pictures, tiny_spec):
    """State and tensors at the end of a run that nobody touched."""
    job = make_job(tmp_path_factory.mktemp("undisturbed"), pictures, tiny_spec)
    assert job.finish(1).reason is StopReason.COMPLETED
    return job.final_state()


@pytest.fixture
def job(tmp_path, pictures, tiny_spec):
    job = make_job(tmp_path, pictures, tiny_spec)
    yield job
    for process in job.processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(process.pid).kill()
        process.wait()
        if process.stdin:
            process.stdin.close()


def assert_same(job, undisturbed):
    (state, tensors), (expected_state, expected) = job.final_state(), undisturbed
    assert tensors.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(tensors[name], expected[name])] == []
    assert state == expected_state
    history = [(e.it, e.data["val/psnr"]) for e in job.run.events() if e.kind == "val"]
    assert [it for it, _ in history] == list(range(VAL_FREQ, TOTAL + 1, VAL_FREQ))


def test_sigkill_after_each_new_commit(job, undisturbed, wait_until):
    for token in (1, 2, 3):
        process = job.start(token, job.newest())
        wait_until(lambda: job.saved_by(token), "a commit of this attempt")  # noqa: B023
        process.kill()
        process.wait()
        assert job.outcome(token) is None
        assert 0 < job.newest().iteration < TOTAL
    assert job.finish(4, job.newest()).reason is StopReason.COMPLETED
    assert_same(job, undisturbed)


@pytest.mark.parametrize("point", COMMIT_POINTS)
def test_sigkill_inside_a_save(job, undisturbed, point):
    process = job.start(1, code=(KILLED_IN_A_SAVE, point))
    assert process.wait(60) == -signal.SIGKILL
    whole = [n.iteration for n in job.run.checkpoint_names()]
    last = point in ("renamed", "committed")
    assert whole == ([VAL_FREQ, 2 * VAL_FREQ] if last else [VAL_FREQ])
    assert job.finish(2, job.newest()).reason is StopReason.COMPLETED
    assert list(job.run.checkpoints.glob("tmp-*")) == []
    assert_same(job, undisturbed)


@pytest.fixture(scope="module")
def gone_back(tmp_path_factory, pictures, tiny_spec):
    """State and tensors at the end of a run that went back once."""
    job = make_job(tmp_path_factory.mktemp("gone_back"), pictures, tiny_spec)
    assert job.finish(1, code=(GOING_BACK, 0)).reason is StopReason.COMPLETED
    return job.final_state()


@pytest.mark.parametrize("point", [1, 2, 3])
def test_sigkill_inside_a_roll_back(job, gone_back, point):
    process = job.start(1, code=(GOING_BACK, point))
    assert process.wait(60) == -signal.SIGKILL
    assert job.newest().iteration == (120 if point == 3 else 160)
    assert job.finish(2, job.newest(), code=(GOING_BACK, 0)).reason is StopReason.COMPLETED
    (state, tensors), (expected_state, expected) = job.final_state(), gone_back
    assert [name for name in expected if not torch.equal(tensors[name], expected[name])] == []
    assert state == expected_state
    assert (state["rollbacks"], state["guard_factor"], state["sample_offset"]) == (1, 0.5, 80)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_pauses_with_a_checkpoint_where_it_stood(job, undisturbed, wait_until, number):
    process = job.start(1)
    wait_until(lambda: job.saved_by(1), "a commit")
    process.send_signal(number)
    assert process.wait(30) == 0
    outcome = job.outcome(1)
    assert outcome.reason is StopReason.PAUSED
    assert job.newest().iteration == outcome.iteration < TOTAL
    job.finish(2, job.newest())
    assert_same(job, undisturbed)


def test_the_supervisor_stops_it_by_a_line(job, undisturbed, wait_until):
    for token, reason in ((1, "drained"), (2, "preempted")):
        process = job.start(token, job.newest(), supervised=True)
        wait_until(lambda: job.saved_by(token), "a commit of this attempt")  # noqa: B023
        process.stdin.write(json.dumps({"stop": reason}).encode() + b"\n")
        process.stdin.flush()
        assert process.wait(30) == 0
        assert job.outcome(token).reason == StopReason(reason)
        assert job.newest().iteration == job.outcome(token).iteration < TOTAL
    job.finish(3, job.newest())
    assert_same(job, undisturbed)


def test_a_lost_lease_saves_nothing_more(job, wait_until):
    process = job.start(1, supervised=True)
    wait_until(lambda: job.saved_by(1), "a commit")
    process.stdin.write(b'{"stop": "lease_lost"}\n')
    process.stdin.flush()
    assert process.wait(30) == 0
    outcome = job.outcome(1)
    assert outcome.reason is StopReason.LEASE_LOST
    assert outcome.iteration % VAL_FREQ == 0 or job.newest().iteration < outcome.iteration


def test_the_end_of_its_stdin_ends_it_at_once(job, wait_until):
    process = job.start(1, supervised=True)
    wait_until(lambda: job.saved_by(1), "a commit")
    process.stdin.close()
    assert process.wait(30) == 70
    assert job.outcome(1) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PDEATHSIG is Linux's")
def test_it_dies_with_its_parent_even_where_stdin_stays_open(job, wait_until):
    job.run.write_attempt(
        1, None, listings={"train": job.listing, "val": job.listing}, device="cpu", threads=1
    )
    argv = [sys.executable, "-m", "workers.trainer", str(job.run.path), "--token", "1", "--supervised"]
    code = f"import subprocess; p = subprocess.Popen({argv!r}); print(p.pid, flush=True); p.wait()"
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT
    )
    job.processes.append(parent)
    child = psutil.Process(int(parent.stdout.readline()))
    wait_until(lambda: job.saved_by(1), "a commit")
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(
        lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the trainer ends", 10
    )
    assert job.outcome(1) is None


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or not shutil.which("umount"):
        pytest.skip("there is no mount here")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(file):
    with contextlib.suppress(OSError), file.open("ab", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass


def test_a_disk_that_fills_up_is_told_and_costs_only_time(
    small_disk, pictures, tiny_spec, undisturbed, wait_until
):
    job = make_job(small_disk, pictures, tiny_spec)
    process = job.start(1)
    log = job.run.attempt(1).log_file

    def failed():
        fill(small_disk / "filler")
        return "could not save a checkpoint" in log.read_text() or process.poll() is not None

    wait_until(lambda: job.saved_by(1), "a commit")
    wait_until(failed, "a save that does not fit")
    assert process.wait(60) == 0, log.read_text()
    outcome = job.outcome(1)
    assert (outcome.reason, outcome.iteration) == (StopReason.DISK_FULL, TOTAL)
    assert "no space left on device" in outcome.message
    assert not job.run.reserve_file.exists()

    (small_disk / "filler").unlink()
    assert job.finish(2, job.newest()).reason is StopReason.COMPLETED
    assert_same(job, undisturbed)


def test_a_disk_that_is_full_from_the_start_is_told(small_disk, pictures, tiny_spec):
    job = make_job(small_disk, pictures, tiny_spec)
    fill(small_disk / "filler")
    os.truncate(small_disk / "filler", (small_disk / "filler").stat().st_size - 4 * 4096)
    process = job.start(1)
    log = job.run.attempt(1).log_file
    assert process.wait(60) == 0, log.read_text()
    assert job.outcome(1).reason is StopReason.DISK_FULL
    assert "No space left on device" in log.read_text().splitlines()[-1]


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)


DAMAGE = {
    "a cut payload": lambda folder: os.truncate(folder / "state.safetensors", 1000),
    "a flipped bit in the payload": lambda folder: flip(folder / "state.safetensors"),
    "a flipped bit in the manifest": lambda folder: flip(folder / "manifest.json"),
    "a missing manifest": lambda folder: (folder / "manifest.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_newest_checkpoint_costs_only_time(job, undisturbed, wait_until, damage):
    process = job.start(1)
    wait_until(lambda: len(job.run.checkpoint_names()) >= 2, "two commits")
    process.kill()
    process.wait()
    damaged = job.newest()
    DAMAGE[damage](job.run.checkpoints / str(damaged))
    assert job.finish(2, damaged).reason is StopReason.COMPLETED
    assert (job.run.checkpoints / f"bad-{damaged}").is_dir()
    assert_same(job, undisturbed)


def test_two_runs_of_a_spec_are_the_same_and_another_seed_is_not(tmp_path, job, undisturbed):
    job.finish(1)
    assert_same(job, undisturbed)
    raw = json.loads(job.run.spec_file.read_text())
    other = Job(RunDir(tmp_path / "runs" / "other").create(), job.listing, job.processes)
    other.run.spec_file.write_text(json.dumps({**raw, "manual_seed": 7}))
    other.finish(1)
    different = other.final_state()[1]
    assert not torch.equal(different["model/body.0.weight"], undisturbed[1]["model/body.0.weight"])


@pytest.mark.parametrize(
    ("spoil", "code", "message"),
    [
        (lambda job: (job.run.attempt(1).attempt_file).unlink(), 2, "no such attempt"),
        (lambda job: job.run.spec_file.write_text("{}"), 0, "the spec does not hold"),
    ],
)
def test_a_user_sees_no_traceback(job, spoil, code, message):
    process = job.start(1)
    process.kill()
    process.wait()
    spoil(job)
    argv = [sys.executable, "-m", "workers.trainer", str(job.run.path), "--token", "1"]
    done = subprocess.run(argv, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
