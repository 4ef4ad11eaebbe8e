"""Detached processes and their pid files."""

import json
import os
import signal
import sys
import time

import psutil
import pytest

from srqueue.errors import SrqueueError
from srqueue.stack import processes
from srqueue.stack.processes import PidFile, has_ended, last_lines, lives, spawn, stop

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def start(tmp_path):
    started = []

    def run(code):
        pid_file = PidFile(tmp_path / "run" / "it.pid")
        process = spawn(
            [sys.executable, "-c", code],
            pid_file=pid_file,
            log=tmp_path / "logs" / "it.log",
            env=os.environ,
            cwd=tmp_path,
            address="here",
        )
        started.append(process)
        return process, pid_file

    yield run
    for process in started:
        stop(process, 0)


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def test_a_started_process_is_found_again_by_its_pid_file(start):
    process, pid_file = start("import time; time.sleep(60)")
    assert pid_file.process() == process
    assert pid_file.read()["address"] == "here"
    assert os.getsid(process.pid) == process.pid, "it must outlive the terminal"


def test_ctrl_c_right_after_the_start_leaves_no_orphan(start, tmp_path, monkeypatch):
    real = processes.write_json

    def write(path, value):
        os.kill(os.getpid(), signal.SIGINT)
        real(path, value)

    monkeypatch.setattr(processes, "write_json", write)
    with pytest.raises(KeyboardInterrupt):
        start("import time; time.sleep(60)")
    process = PidFile(tmp_path / "run" / "it.pid").process()
    assert process is not None
    assert stop(process, 20) is True, "what is held back here is not held back in the child"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_process_without_a_pid_file_is_ended_again(start, monkeypatch):
    started = []

    def write(path, value):
        started.append(psutil.Process(value["pid"]))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(processes, "write_json", write)
    with pytest.raises(SrqueueError, match="No space left on device"):
        start("import time; time.sleep(60)")
    wait_for(lambda: has_ended(started[0]))


def test_a_process_lives_where_it_was_there_at_that_time(start):
    process, _ = start("import time; time.sleep(60)")
    now = time.time()
    assert lives(process.pid, now)
    assert not lives(process.pid, now - 3600), "its pid was another's then"
    process.kill()
    wait_for(lambda: not lives(process.pid, now))


def test_a_pid_that_went_to_a_stranger_counts_as_gone(start):
    _, pid_file = start("import time; time.sleep(60)")
    content = pid_file.read()
    pid_file.path.write_text(json.dumps({**content, "create_time": content["create_time"] - 3600}))
    assert pid_file.process() is None
    assert pid_file.stale


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"pid": "x"}', '{"pid": 1}'])
def test_a_pid_file_that_is_not_whole_counts_as_gone(tmp_path, content):
    pid_file = PidFile(tmp_path / "it.pid")
    pid_file.path.write_text(content)
    assert pid_file.process() is None


def test_a_killed_process_leaves_a_stale_pid_file(start):
    process, pid_file = start("import time; time.sleep(60)")
    os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: pid_file.process() is None)
    assert pid_file.stale
    assert has_ended(process)


def test_sigterm_is_enough_for_a_process_that_heeds_it(start):
    process, _ = start("import time; time.sleep(60)")
    assert stop(process, 20) is True
    assert has_ended(process)


def test_a_process_that_heeds_no_sigterm_is_killed_with_its_children(start, tmp_path):
    process, _ = start(STUBBORN)
    log = tmp_path / "logs" / "it.log"
    wait_for(lambda: log.read_text().endswith("\n"))
    child = psutil.Process(int(log.read_text()))
    assert stop(process, 0.2) is False
    wait_for(lambda: has_ended(process) and has_ended(child))


def test_a_program_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(SrqueueError, match="cannot start"):
        spawn(
            ["/no/such/program"],
            pid_file=PidFile(tmp_path / "it.pid"),
            log=tmp_path / "it.log",
            env={},
            cwd=tmp_path,
        )


def test_the_last_lines_of_a_log_are_shown(tmp_path):
    log = tmp_path / "log"
    log.write_text("".join(f"line {i}\n" for i in range(5000)))
    assert last_lines(log, 2) == "line 4998\nline 4999"
    assert last_lines(tmp_path / "none") == ""
