"""The spare trainer, with a small program in its place."""

import subprocess
import sys
import time

import pytest

from srqueue.run.folder import RunDir
from workers import spares as module
from workers.spares import Spares

READY = "import os, sys; os.write(1, b'ready\\n'); line = sys.stdin.readline(); "
GOOD = READY + "os.write(1, b'taken\\n'); sys.stdin.read()"
MUTE = READY + "sys.stdin.read()"
BROKEN = "raise SystemExit(3)"
SLOW = "import time; time.sleep(60)"


@pytest.fixture
def keep(monkeypatch):
    """Spares that run `code`; the processes that were started."""
    started, kept = [], []
    monkeypatch.setattr(module, "_LOOK", 0.02)
    monkeypatch.setattr(module, "SETTLE", 0.0)
    monkeypatch.setattr(module, "ANSWERS_WITHIN", 60.0)

    def keep(code, threads=1, wanted=lambda: True):
        def launch(arguments, threads, stdout, stderr):
            process = subprocess.Popen(
                [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=stdout, start_new_session=True
            )
            started.append(process)
            return process

        monkeypatch.setattr(module, "launch", launch)
        kept.append([True, Spares(threads, lambda: kept[0][0] and wanted())])
        kept[0][1].start()
        return kept[0][1], started

    yield keep
    kept[0][0] = False
    kept[0][1].end()
    for process in started:
        process.kill()
        process.wait()


def is_ready(spares):
    return spares._spare is not None and spares._spare.ready


@pytest.fixture
def run(tmp_path):
    return RunDir(tmp_path / "job")


def test_one_is_made_used_and_followed_by_another(keep, run, wait_until):
    spares, started = keep(GOOD)
    wait_until(lambda: is_ready(spares), "it is ready")
    process = spares.take(run, 1, 1)
    assert process is started[0] and process.poll() is None
    wait_until(lambda: is_ready(spares), "the next one is ready")
    assert len(started) == 2 and process.poll() is None


@pytest.mark.parametrize(("code", "threads"), [(MUTE, 1), (GOOD, 2)])
def test_one_that_does_not_answer_or_does_not_fit_is_ended(keep, run, wait_until, monkeypatch, code, threads):
    monkeypatch.setattr(module, "ANSWERS_WITHIN", 0.3)
    spares, started = keep(code)
    wait_until(lambda: is_ready(spares), "it is ready")
    assert spares.take(run, 1, threads) is None
    assert started[0].poll() is not None


def test_one_that_is_about_to_be_ready_is_waited_for(keep, run, wait_until):
    spares, started = keep("import time; time.sleep(0.5); " + GOOD)
    wait_until(lambda: started, "it is started")
    assert spares.take(run, 1, 1) is started[0]


@pytest.mark.parametrize("threads", [1, 2])
def test_one_that_takes_long_is_not_waited_for(keep, run, wait_until, monkeypatch, threads):
    monkeypatch.setattr(module, "READY_SOON", 0.2 if threads == 1 else 60.0)
    spares, started = keep(SLOW)
    wait_until(lambda: started, "it is started")
    assert spares.take(run, 1, threads) is None


def test_one_that_always_dies_is_started_ever_more_seldom(keep, run, monkeypatch, wait_until):
    monkeypatch.setattr(module, "FIRST_BACKOFF", 0.05)
    spares, started = keep(BROKEN)
    wait_until(lambda: len(started) >= 3, "it is tried again")
    assert spares.take(run, 1, 1) is None
    monkeypatch.setattr(module, "FIRST_BACKOFF", 1e6)
    monkeypatch.setattr(module, "LONGEST_BACKOFF", 1e6)
    before = len(started)
    wait_until(lambda: spares._not_before > time.monotonic() + 1e5, "it is put off")
    assert len(started) <= before + 1


def test_where_none_is_wanted_any_more_it_is_ended(keep, wait_until):
    wanted = [True]
    spares, started = keep(GOOD, wanted=lambda: wanted[0])
    wait_until(lambda: is_ready(spares), "it is ready")
    wanted[0] = False
    wait_until(lambda: started[0].poll() is not None, "it is ended")
    assert len(started) == 1
