"""One attempt on a real store, with a small program in the trainer's place: what may go wrong around it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from ulid import ULID

from srqueue.datasets import Registry
from srqueue.errors import ServiceUnreachable
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.settings import Settings
from srqueue.store import patience
from srqueue.store.patience import patiently
from workers.child import Trainer
from workers.devices import Device, find_device
from workers.supervisor import Supervisor

UNTIL_ASKED = "import sys; print(sys.stdin.readline())"


@pytest.fixture
def job(store, settings, tiny_dataset, tiny_spec):
    spec = tiny_spec(tiny_dataset(settings).identity, 100)
    record, _ = store.create(
        str(ULID()), spec=spec.model_dump(mode="json"), origins={}, spec_id="s", name="tiny", total_iter=100
    )
    return record.id


@pytest.fixture
def claim(store, tmp_path):
    return lambda: store.claim("w1", "here", ["any"], 2, {"root": str(tmp_path / "runs")})


@pytest.fixture
def stand_in(monkeypatch):
    """Puts a program in the trainer's place; the trainers that were started, to be looked at."""
    started = []

    def stand_in(code, before=lambda attempt: None):
        def start(run, attempt, spares):
            with attempt.log_file.open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=log, stderr=log,
                    cwd=attempt.path, start_new_session=True,
                )  # fmt: skip
            before(attempt)
            started.append(Trainer(process))
            return started[-1]

        monkeypatch.setattr(Trainer, "start", start)
        return started

    yield stand_in
    for trainer in started:
        trainer.kill()


@pytest.fixture
def supervise(store, settings):
    def supervise(claim, device=None):
        supervisor = Supervisor(
            store, settings, claim, host="here", device=device or find_device(Settings(device="cpu")),
            draining=lambda: False, report=lambda *_: None,
        )  # fmt: skip
        return supervisor.run()

    return supervise


@pytest.fixture
def lose_answers(store, monkeypatch):
    """The script `name` runs, and its answer does not arrive, `times` times."""

    def lose_answers(name, times=1):
        run, left = store._run, [times]

        def lossy(script, *args):
            answer = run(script, *args)
            if script == name and left[0]:
                left[0] -= 1
                raise ServiceUnreachable("Redis does not answer: Timeout reading from socket")
            return answer

        monkeypatch.setattr(store, "_run", lossy)

    return lose_answers


def write_outcome(reason="completed"):
    said = {"v": 1, "reason": reason, "message": "", "iteration": 100}
    return f"import json; json.dump({said}, open('outcome.json', 'w'))"


def test_a_job_whose_data_is_missing_is_bound_to_no_machine(store, settings, job, claim, supervise):
    Registry(settings).remove("tiny")
    record = supervise(claim())
    assert (record.state, record.reason) == (JobState.HELD, StopReason.DATA_MISSING)
    assert record.root_id is record.run_dir is None
    store.resume(job)
    assert store.claim("w2", "there", ["any"], 2, {"other": "/there"}).record.run_dir == f"/there/{job}"


def test_an_outage_before_the_trainer_begins_is_no_failure(
    job, claim, supervise, stand_in, store, monkeypatch
):
    begun = stand_in(write_outcome())
    run = store._run

    def away(script, *args):
        if script == "bind":
            raise ServiceUnreachable("Redis does not answer: Timeout reading from socket")
        return run(script, *args)

    monkeypatch.setattr(store, "_run", away)
    record = supervise(claim())
    assert (record.state, record.reason, record.failures) == (JobState.QUEUED, StopReason.DRAINED, 0)
    assert begun == [] and "could not begin it" in record.message


def test_a_job_with_a_run_folder_is_bound_to_it(store, job, claim, supervise, stand_in, tmp_path):
    stand_in(write_outcome())
    record = supervise(claim())
    assert (record.state, record.root_id) == (JobState.SUCCEEDED, "root")
    assert record.run_dir == str(tmp_path / "runs" / job)


def test_a_runs_root_that_cannot_be_written_holds_the_job_for_another_machine(
    store, job, claim, supervise, tmp_path
):
    (tmp_path / "runs").write_text("a file where the folder should be")
    record = supervise(claim())
    assert (record.state, record.reason, record.root_id) == (JobState.HELD, StopReason.ROOT_MISSING, None)


def test_a_disk_that_fills_up_ends_the_trainer_and_holds_the_job(job, claim, supervise, stand_in):
    def fill(attempt):  # where attempt.json is written anew
        temporary = attempt.attempt_file.with_name(f".attempt.json.{os.getpid()}.tmp")
        temporary.symlink_to("/dev/full")

    started = stand_in("import time; time.sleep(60)", fill)
    record = supervise(claim())
    assert (record.state, record.reason) == (JobState.HELD, StopReason.DISK_FULL)
    assert not psutil.pid_exists(started[0]._process.pid)


def test_a_program_that_cannot_be_started_is_a_crash(job, claim, supervise, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/there/is/no/python")
    record = supervise(claim())
    assert (record.state, record.reason, record.failures) == (JobState.QUEUED, StopReason.CRASHED, 1)


def test_a_job_to_be_cancelled_is_asked_to_at_once(store, job, claim, supervise, stand_in):
    first = claim()
    store.bind(job, first.token, "root", first.record.run_dir)
    run = RunDir(Path(first.record.run_dir)).create()
    (run.checkpoints / "ckpt-000001-it30-t1").mkdir()
    store.publish(job, first.token, 1, 30)
    store.finish(job, first.token, Outcome(StopReason.DRAINED, "", 30))
    store.ask(job, "cancel")
    stand_in(UNTIL_ASKED + "; " + write_outcome("cancelled"))
    record = supervise(claim())
    assert (record.state, record.reason) == (JobState.CANCELLED, StopReason.CANCELLED)
    assert '{"stop": "cancelled"}' in run.attempt(2).log_file.read_text()


def test_a_checkpoint_that_a_killed_trainer_did_not_tell_of_is_published(job, claim, supervise, stand_in):
    stand_in("import os; os.mkdir('../../checkpoints/ckpt-000002-it20-t1'); os.kill(os.getpid(), 9)")
    record = supervise(claim())
    assert (record.reason, record.seq, record.iteration) == (StopReason.CRASHED, 2, 20)
    assert record.failures == 0


def test_an_end_whose_answer_is_lost_is_still_told(job, claim, supervise, stand_in, lose_answers):
    stand_in(write_outcome("drained"))
    lose_answers("finish")
    record = supervise(claim())
    assert record is not None
    assert (record.state, record.reason) == (JobState.QUEUED, StopReason.DRAINED)


@pytest.mark.parametrize("name", ["raise_token", "bind"])
def test_a_lost_answer_before_the_start_costs_no_attempt(
    store, job, claim, supervise, stand_in, lose_answers, tmp_path, name
):
    earlier = RunDir(tmp_path / "runs" / job).create().write_attempt(5, None)
    Outcome(StopReason.DRAINED, "", 0).write(earlier.outcome_file)
    stand_in(write_outcome())
    lose_answers(name, times=2)
    record = supervise(claim())
    assert (record.state, record.token, record.attempts) == (JobState.SUCCEEDED, 6, 1)


def test_a_disk_that_is_full_at_the_start_is_told_with_the_raised_token(
    store, job, claim, supervise, tmp_path
):
    run = RunDir(tmp_path / "runs" / job).create()
    Outcome(StopReason.DRAINED, "", 0).write(run.write_attempt(5, None).outcome_file)
    run.spec_file.with_name(f".spec.json.{os.getpid()}.tmp").symlink_to("/dev/full")
    record = supervise(claim())
    assert (record.state, record.reason, record.token) == (JobState.HELD, StopReason.DISK_FULL, 6)


def test_an_attempt_that_redis_has_forgotten_has_one_lease_to_come_forward(
    store, job, claim, supervise, stand_in, tmp_path, wait_until
):
    run = RunDir(tmp_path / "runs" / job).create()
    alive = subprocess.Popen(
        [sys.executable, "-c", UNTIL_ASKED], stdin=subprocess.PIPE, start_new_session=True
    )
    created = psutil.Process(alive.pid).create_time()
    run.write_attempt(5, None, host="here", trainer={"pid": alive.pid, "create_time": created})
    stand_in(write_outcome())
    try:
        assert supervise(claim()) is None
        record = store.get(job)
        assert (record.state, record.token, record.attempts) == (JobState.QUEUED, 0, 0)
        assert record.not_before is not None and "still train" in record.message
        assert alive.poll() is None and [a.token for a in run.attempts()] == [5]

        def ready():
            store.sweep()
            return store.get(job).not_before is None

        wait_until(ready, "the job is ready again")
        record = supervise(claim())
        assert (record.state, record.token, record.attempts) == (JobState.SUCCEEDED, 6, 1)
        assert alive.wait(10) == -signal.SIGKILL  # by then it was nobody's
    finally:
        alive.kill()
        alive.wait()
        alive.stdin.close()


@pytest.mark.parametrize("when", ["before the trainer", "while it trains", "at its end"])
def test_a_redis_that_was_emptied_is_told_all_of_the_job(
    store, job, claim, supervise, stand_in, monkeypatch, when
):
    held = claim()
    before = store.get(job)
    empty = store.connection.redis.flushall
    if when == "before the trainer":
        empty()
    write = write_outcome()
    stand_in(write if when != "while it trains" else UNTIL_ASKED + "; " + write)
    if when == "while it trains":
        renew, calls = store.renew, []

        def renewing(*args):
            calls.append(args)
            if len(calls) == 2:
                empty()
            if len(calls) == 4:
                store.ask(job, "cancel")
            return renew(*args)

        monkeypatch.setattr(store, "renew", renewing)
    if when == "at its end":
        finish = store.finish
        monkeypatch.setattr(store, "finish", lambda *a: (empty(), monkeypatch.undo(), finish(*a))[-1])
    record = supervise(held)
    assert (record.state, record.token, record.attempts) == (JobState.SUCCEEDED, 1, 1)
    same = ("id", "name", "spec", "spec_id", "origins", "priority", "device_class", "created", "total_iter")
    assert [getattr(record, f) for f in same] == [getattr(before, f) for f in same]
    assert record.run_dir == held.record.run_dir and store.list() == (record,)


def test_patience_has_an_end_and_asks_more_than_once(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_WAIT", 0.01)
    asked = []

    def never():
        asked.append(1)
        raise ServiceUnreachable("Redis does not answer")

    with pytest.raises(ServiceUnreachable):
        patiently(never, 0.1)
    assert len(asked) > 1


HOLDS = """
import sys, time
from pathlib import Path
from workers.trainer.device_lock import hold_device

about = {"job": sys.argv[2], "token": 1, "supervised": True}
with hold_device(Path(sys.argv[1]), about, lambda holder: True):
    print("up", flush=True)
    time.sleep(60)
"""


def test_who_loses_its_job_while_the_next_trainer_waits_frees_the_device(
    store, job, claim, supervise, stand_in, tmp_path
):
    lock, taken = tmp_path / "gpu.lock", str(ULID())
    store.create(taken, spec={}, origins={}, spec_id="z", name="z", total_iter=9, priority=9)
    assert store.claim("w0", "here", ["any"], 60, {"r": "/r"}).record.id == taken
    zombie = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(lock), taken], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert zombie.stdout.readline() == b"up\n"
        zombie.send_signal(signal.SIGSTOP)
        waits = (
            "import pathlib; from workers.trainer.device_lock import hold_device\n"
            f"with hold_device(pathlib.Path({str(lock)!r}), {{}}, lambda holder: True): {write_outcome()}"
        )
        stand_in(waits, before=lambda attempt: store.raise_token(taken, 1, 2))
        record = supervise(claim(), Device("cuda:0", "a GPU", ("any",), lock))
        assert record.state is JobState.SUCCEEDED
        assert zombie.wait(10) == -signal.SIGKILL
    finally:
        zombie.kill()
        zombie.communicate()
