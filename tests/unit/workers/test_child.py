"""The trainer process: how it is asked to end, made to end, and told about."""

import signal
import subprocess
import sys

import pytest

from srqueue.run.reasons import StopReason
from workers import child
from workers.child import Trainer

UP = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); "
STUBBORN = UP + "time.sleep(60)"
READER = UP + "print(sys.stdin.readline().strip(), flush=True)"


@pytest.fixture
def process():
    started = []

    def start(code):
        process = subprocess.Popen(
            [sys.executable, "-c", code],
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


def test_a_trainer_is_asked_by_one_json_line(process):
    reader = process(READER)
    trainer = Trainer(reader)
    trainer.request_stop(StopReason.PAUSED)
    assert reader.stdout.readline() == b'{"stop": "paused"}\n'
    assert reader.wait(10) == 0
    trainer.request_stop(StopReason.CANCELLED)  # it is gone: no error
    assert trainer.stop is StopReason.CANCELLED


def test_a_lost_lease_is_the_last_word(process):
    trainer = Trainer(process(STUBBORN))
    for reason in (StopReason.DRAINED, StopReason.LEASE_LOST, StopReason.PAUSED):
        trainer.request_stop(reason)
    assert trainer.stop is StopReason.LEASE_LOST


def test_a_trainer_that_does_not_stop_is_ended(process, monkeypatch, wait_until):
    monkeypatch.setattr(child, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(child, "TERM_SECONDS", 0.1)
    trainer = Trainer(process(STUBBORN))
    assert trainer.poll() is None
    trainer.request_stop(StopReason.PAUSED)
    wait_until(lambda: trainer.poll() is not None, "the trainer is ended", 20)
    assert trainer.poll() == -signal.SIGKILL and trainer.forced


def test_a_worker_that_ends_does_not_take_back_a_cancel(process):
    trainer = Trainer(process(STUBBORN))
    for reason in (StopReason.PAUSED, StopReason.CANCELLED, StopReason.DRAINED):
        trainer.request_stop(reason)
    assert trainer.stop is StopReason.CANCELLED
