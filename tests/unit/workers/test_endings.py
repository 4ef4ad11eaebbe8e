"""Why an attempt ended where its trainer did not say it: real processes that end in every way."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from workers import child, endings
from workers.child import Trainer
from workers.endings import outcome_of, reason_of

R = StopReason


@pytest.fixture
def run(tmp_path):
    return RunDir(tmp_path / "job").create()


@pytest.fixture
def attempt(run):
    return run.write_attempt(1, None)


@pytest.fixture
def ended(attempt, wait_until):
    """A trainer that ran `code` and ended; `asked` it was asked before that."""
    started = []

    def ended(code, asked=None):
        with attempt.log_file.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        trainer = Trainer(process)
        started.append(trainer)
        if asked:
            trainer.request_stop(asked)
        return trainer, wait_until(lambda: (trainer.poll(),) if trainer.poll() is not None else None, "end")[
            0
        ]

    yield ended
    for trainer in started:
        trainer.kill()


@pytest.mark.parametrize("asked", [None, R.PAUSED, R.CANCELLED, R.DRAINED])
def test_a_trainer_that_dies_while_it_is_asked_to_stop_has_crashed(ended, attempt, asked):
    trainer, status = ended("import sys; print('boom'); sys.exit(3)", asked)
    outcome = outcome_of(attempt, trainer, status, 7)
    assert (outcome.reason, outcome.iteration) == (R.CRASHED, 7)
    assert "exit status 3" in outcome.message and "boom" in outcome.message


def test_a_full_disk_is_no_pause(ended, attempt):
    trainer, status = ended("open('/dev/full', 'wb', buffering=0).write(b'x')", R.PAUSED)
    assert outcome_of(attempt, trainer, status, 7).reason is R.DISK_FULL


def test_a_disk_without_room_is_seen_though_nothing_could_be_logged(ended, attempt, monkeypatch):
    free = shutil.disk_usage(attempt.path).free
    monkeypatch.setattr(endings, "ALMOST_NOTHING", free + (1 << 40))
    trainer, status = ended("import os; os._exit(1)", R.PAUSED)
    assert outcome_of(attempt, trainer, status, 7).reason is R.DISK_FULL


def test_a_trainer_that_we_ended_did_what_was_asked(ended, attempt, monkeypatch):
    monkeypatch.setattr(child, "STOP_SECONDS", 0.1)
    trainer, status = ended("import time; time.sleep(60)", R.PAUSED)
    outcome = outcome_of(attempt, trainer, status, 7)
    assert (outcome.reason, trainer.forced) == (R.PAUSED, True) and "before it could save" in outcome.message


def test_a_trainer_that_we_killed_was_not_short_of_memory(ended, attempt, monkeypatch):
    monkeypatch.setattr(child, "STOP_SECONDS", 0.5)
    monkeypatch.setattr(child, "TERM_SECONDS", 0.1)
    ignoring = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    trainer, status = ended(ignoring, R.CANCELLED)
    outcome = outcome_of(attempt, trainer, -signal.SIGKILL, 7)
    assert trainer.forced and outcome.message == "the trainer was ended by SIGKILL before it could save"
    trainer, status = ended(f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})")
    assert "out of memory?" in outcome_of(attempt, trainer, status, 7).message


def test_a_service_manager_that_ends_every_process_is_a_drain(ended, attempt):
    kill = f"import os; os.kill(os.getpid(), {int(signal.SIGTERM)})"
    assert outcome_of(attempt, *ended(kill, R.DRAINED), 7).reason is R.DRAINED
    assert outcome_of(attempt, *ended(kill), 7).reason is R.CRASHED


def test_what_the_trainer_says_is_believed(ended, attempt):
    said = Outcome(R.DIVERGED, "the loss is nan", 5)
    said.write(attempt.outcome_file)
    assert outcome_of(attempt, *ended("pass", R.PAUSED), 7) == said


@pytest.mark.parametrize(
    "change", [{"v": 2}, {"reason": "no such reason"}, {"reason": None}, {"iteration": None}]
)
@pytest.mark.parametrize("drop", [False, True])
def test_an_outcome_that_cannot_be_read_is_none(attempt, change, drop):
    Outcome(R.COMPLETED, "", 5).write(attempt.outcome_file)
    raw = json.loads(attempt.outcome_file.read_text()) | change
    if drop:
        raw.pop(next(iter(change)))
    attempt.outcome_file.write_text(json.dumps(raw))
    assert Outcome.read(attempt.outcome_file) is None
    attempt.outcome_file.write_text("[1]")
    assert Outcome.read(attempt.outcome_file) is None


def test_an_error_of_the_system_means_a_full_disk_a_missing_folder_or_a_crash(run):
    def error(number):
        return OSError(number, os.strerror(number))

    assert reason_of(error(28), run) is R.DISK_FULL
    assert reason_of(error(11), run) is R.CRASHED
    shutil.rmtree(run.path)
    assert reason_of(error(2), run) is R.ROOT_MISSING
