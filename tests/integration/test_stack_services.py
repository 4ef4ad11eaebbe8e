"""The stack for real: embedded server, worker, Flower, in a home folder of its own."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from srqueue.errors import ConflictError, ServiceUnreachable, SrqueueError
from srqueue.settings import Settings
from srqueue.stack.ports import next_free_port
from srqueue.stack.stack import Stack
from srqueue.store.store import Store

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith("SRQUEUE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SRQUEUE_WARM", "false")  # to make a trainer that stands ready takes seconds of a core
    return Settings(
        home=tmp_path / "home",
        datasets=tmp_path / "datasets.yaml",
        flower_port=next_free_port("127.0.0.1", 5700),
    )


@pytest.fixture
def stack(settings):
    stack = Stack(settings)
    yield stack
    stack.down()


def states(stack):
    return {status.name: status.state for status in stack.status()}


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def test_up_starts_everything_once_and_down_leaves_nothing(stack, settings, monkeypatch):
    monkeypatch.delenv("SRQUEUE_WARM")
    assert stack.up() == ("server", "worker", "flower")
    assert set(states(stack).values()) == {"running"}
    assert stack.up() == (), "a second up starts nothing"

    assert [worker.host for worker in Store.connect(settings).workers()] == [socket.gethostname()]
    with urllib.request.urlopen(f"http://127.0.0.1:{settings.flower_port}/healthcheck") as answer:
        assert answer.status == 200
    wait_for(lambda: "worker@" in _page(settings, "/workers"))

    family = [p for s in stack.status() for p in _family(s.pid)]
    assert stack.down() == ("flower", "worker", "server")
    wait_for(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family))
    assert set(states(stack).values()) == {"stopped"}
    assert stack.down() == ()
    assert not settings.socket.exists()


def test_a_taken_flower_port_is_named_before_anything_is_started(stack, settings):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", settings.flower_port))
        other.listen()
        with pytest.raises(ConflictError, match=str(settings.flower_port)):
            stack.up()
    assert set(states(stack).values()) == {"stopped"}


def test_a_crashed_server_is_recognised_and_up_brings_its_jobs_back(stack, settings):
    stack.up(["server"])
    store = Store.connect(settings)
    job, _ = store.create("01" * 13, spec={}, origins={}, spec_id="x", name="kept", total_iter=1)
    pid = next(s.pid for s in stack.status() if s.name == "server")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: states(stack)["server"] == "stale")

    assert stack.up(["server"]) == ("server",)
    assert Store.connect(settings).get(job.id).name == "kept"


def test_a_pid_file_from_before_a_reboot_does_not_stop_a_stranger(stack):
    stack.up(["server"])
    pid_file = stack.pid_file("server")
    server = pid_file.process()
    content = pid_file.path.read_text()
    stranger = os.getpid()
    pid_file.path.write_text(content.replace(str(server.pid), str(stranger)))
    try:
        assert states(stack)["server"] == "elsewhere", "it answers, but it is not known as ours"
        stack.down()
        assert psutil.pid_exists(stranger)
        assert server.is_running()
    finally:
        server.terminate()
        server.wait(20)


def test_a_worker_that_was_killed_is_not_said_to_run(stack, settings):
    stack.up(["server", "worker"])
    pid = next(s.pid for s in stack.status() if s.name == "worker")
    for process in reversed(_family(pid)):
        process.kill()
    wait_for(lambda: states(stack)["worker"] == "stale", seconds=5)
    assert Store.connect(settings).workers(), "it is still announced"


def test_a_redis_of_ones_own_takes_the_place_of_the_embedded_one(stack, settings, tmp_path):
    stack.up(["server"])
    url = f"unix://{settings.socket}"
    other = Stack(Settings(home=tmp_path / "other", redis_url=url))
    assert other.up(["server"]) == ()
    assert states(other)["server"] == "elsewhere"
    assert not other.settings.socket.exists()


def test_a_redis_of_ones_own_that_is_down_is_told_before_anything_is_started(tmp_path):
    other = Stack(Settings(home=tmp_path / "other", redis_url="redis://127.0.0.1:1/0"))
    with pytest.raises(ServiceUnreachable):
        other.up(["server", "worker"])
    assert not other.pid_file("worker").path.exists()


def test_where_one_service_fails_those_before_it_are_stopped_again(stack, settings, monkeypatch):
    monkeypatch.setenv("SRQUEUE_THREADS", "many")
    with pytest.raises(SrqueueError, match=r"(?s)worker ended at once.*SRQUEUE_THREADS") as caught:
        stack.up(["server", "worker"])
    assert caught.value.where == str(stack.log_file("worker"))
    assert states(stack)["server"] == "stopped"


def test_two_ups_at_once_do_not_start_two_servers(stack, settings):
    (settings.home / "run").mkdir(parents=True)
    with (settings.home / "run" / "stack.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConflictError, match="another srqueue command"):
            stack.up(["server"])
    assert stack.up(["server"]) == ("server",)


def test_a_reader_that_closes_its_end_does_not_stop_what_was_started(stack, settings):
    env = os.environ | {"SRQUEUE_HOME": str(settings.home), "PYTHONPATH": str(ROOT)}
    up = [sys.executable, "-m", "srqueue.cli", "up", "--no-worker", "--no-flower"]
    reader, writer = os.pipe()
    os.close(reader)
    subprocess.run(up, stdout=writer, env=env, timeout=60)
    os.close(writer)
    assert states(stack)["server"] == "running"


def test_the_procfile_starts_the_whole_system_and_status_sees_it(stack, settings, tmp_path):
    command = tmp_path / "bin" / "srqueue"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m srqueue.cli "$@"\n')
    command.chmod(0o755)
    env = dict(os.environ)
    env |= {"PATH": f"{command.parent}:{env['PATH']}", "SRQUEUE_HOME": str(settings.home)}
    env |= {"SRQUEUE_FLOWER_PORT": str(settings.flower_port), "PYTHONPATH": str(ROOT)}
    with (tmp_path / "log").open("w") as log:
        honcho = subprocess.Popen(
            [sys.executable, "-m", "honcho", "start", "-f", str(ROOT / "Procfile")],
            stdout=log,
            stderr=log,
            env=env,
        )
        try:
            wait_for(lambda: set(states(stack).values()) == {"elsewhere"}, seconds=60)
            assert stack.up() == (), "what somebody else started is not started twice"
        finally:
            honcho.terminate()
            honcho.wait(60)
    wait_for(lambda: set(states(stack).values()) == {"stopped"}, seconds=60)


def _family(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _page(settings, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{settings.flower_port}{path}") as answer:
        return answer.read().decode()
