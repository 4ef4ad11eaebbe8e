"""Trainers that are left over: ended where nobody waits for them, and left alone where somebody does."""

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest
from ulid import ULID

from srqueue.run.folder import RunDir
from srqueue.store.store import Store
from workers.child import Trainer
from workers.forgotten import end_leftovers, free_device
from workers.trainer.device_lock import hold_device, is_held, read_holder

UP = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); "
STUBBORN = UP + "time.sleep(60)"
HOLDS = """
import sys, time
from pathlib import Path
from workers.trainer.device_lock import hold_device

about = {"job": sys.argv[2], "token": int(sys.argv[3]), "supervised": sys.argv[4] == "1"}
with hold_device(Path(sys.argv[1]), about, lambda holder: True) as held:
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def process():
    started = []

    def start(code, *args):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout.readline() == b"up\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_only_the_trainer_that_was_noted_is_ended(process, tmp_path):
    run = RunDir(tmp_path / "job").create()
    mine, stranger, elsewhere = process(STUBBORN), process(STUBBORN), process(STUBBORN)
    host = socket.gethostname()
    noted = Trainer(mine).identity
    run.write_attempt(1, None, host=host, trainer=noted)
    run.write_attempt(
        2, None, host=host, trainer={"pid": stranger.pid, "create_time": noted["create_time"] - 99}
    )
    run.write_attempt(3, None, host="elsewhere", trainer=Trainer(elsewhere).identity)
    run.write_attempt(4, None, host=host)
    run.write_attempt(5, None, host=host, trainer={"pid": "x"})
    end_leftovers(run, host)
    assert mine.wait(10) == -signal.SIGKILL  # that nobody had waited for it is no hindrance
    assert psutil.pid_exists(stranger.pid) and psutil.pid_exists(elsewhere.pid)
    assert stranger.poll() is elsewhere.poll() is None


@pytest.fixture
def job(store):
    """A running job of token 1."""
    job_id = str(ULID())
    store.create(job_id, spec={}, origins={}, spec_id="s", name="j", total_iter=9)
    assert store.claim("w", "h", ["any"], 60, {"r": "/r"}).token == 1
    return job_id


def test_who_holds_a_device_whose_job_was_taken_over_is_ended(process, tmp_path, store, job):
    lock = tmp_path / "gpu.lock"
    zombie = process(HOLDS, lock, job, 1, 1)
    os.kill(zombie.pid, 19)  # SIGSTOP: it will never end by itself
    free_device(lock, store)
    assert is_held(lock) and psutil.pid_exists(zombie.pid)  # its job is still its own
    store.raise_token(job, 1, 2)
    free_device(lock, store)
    assert not is_held(lock)
    assert zombie.wait(10) == -signal.SIGKILL


def test_a_process_that_only_the_file_names_is_left_alone(process, tmp_path, store, job):
    lock = tmp_path / "gpu.lock"
    process(HOLDS, lock, job, 1, 0)
    innocent = process(STUBBORN)
    told = {**Trainer(innocent).identity, "job": job, "token": 0, "supervised": True}
    lock.write_text(json.dumps(told))  # as any user may
    free_device(lock, store)
    assert innocent.poll() is None and is_held(lock)


def test_the_trainer_that_the_device_is_for_is_left_alone(process, tmp_path, store, job):
    lock = tmp_path / "gpu.lock"
    own = process(HOLDS, lock, job, 0, 1)
    free_device(lock, store, waiting=own.pid)
    assert own.poll() is None and is_held(lock)


def test_a_full_disk_is_no_hindrance(process, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with hold_device(tmp_path / "gpu.lock", {"job": "x"}, lambda holder: False) as held:
        assert held and is_held(tmp_path / "gpu.lock")


def test_a_pipe_in_its_place_is_no_lock_and_nothing_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "gpu.lock")
    with hold_device(tmp_path / "gpu.lock", {"job": "x"}, lambda holder: False) as held:
        assert held


def test_a_holder_whose_claim_redis_has_forgotten_is_left_alone(process, tmp_path, store, job):
    """Redis went back to before the claim: the owner lives, and will tell it again."""
    lock = tmp_path / "gpu.lock"
    holder = process(HOLDS, lock, job, 2, 1)
    store.connection.redis.hset(store.keys.job(job), mapping={"state": "queued"})
    free_device(lock, store)
    assert holder.poll() is None and is_held(lock)


def test_a_training_by_hand_and_one_of_an_unknown_job_are_left_alone(process, tmp_path, store, job):
    for name, who, supervised in (("a", job, 0), ("b", "01J00000000000000000000000", 1)):
        lock = tmp_path / name
        holder = process(HOLDS, lock, who, 0, supervised)
        free_device(lock, store)
        assert holder.poll() is None and is_held(lock)


def test_a_lock_that_nobody_holds_ends_nobody(process, tmp_path, store: Store, job):
    lock = tmp_path / "gpu.lock"
    other = process(STUBBORN)
    told = {"pid": other.pid, "create_time": psutil.Process(other.pid).create_time(), "job": job, "token": 0}
    lock.write_text(json.dumps({**told, "supervised": True}))
    free_device(lock, store)
    free_device(None, store)
    assert other.poll() is None


def test_the_second_waits_until_it_is_told_not_to(process, tmp_path):
    lock = tmp_path / "gpu.lock"
    process(HOLDS, lock, "01J0000000000000000000ABCD", 3, 1)
    heard = []
    with hold_device(lock, {}, lambda holder: heard.append(holder) or len(heard) < 3) as held:
        assert not held
    assert heard[0].startswith("job 00abcd (process ") and len(heard) == 3
    assert read_holder(lock)["token"] == 3


def test_a_link_is_not_followed_and_no_lock_is_no_end(tmp_path):
    target = tmp_path / "precious"
    target.write_text("text")
    (tmp_path / "gpu.lock").symlink_to(target)
    with hold_device(tmp_path / "gpu.lock", {"job": "x"}, lambda holder: False) as held:
        assert held
    assert target.read_text() == "text"
    with hold_device(None, {}, lambda holder: False) as held:
        assert held


def test_the_lock_goes_with_its_holder(tmp_path):
    lock = tmp_path / "gpu.lock"
    with hold_device(lock, {"job": "x"}, lambda holder: False) as held:
        assert held and is_held(lock)
        with lock.open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not is_held(lock)
