"""Three hosts: one with Redis, two with workers. They need root, `ip netns` and `tc` (Linux)."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import redis

from srqueue.queue.client import Client
from tests.conftest import ROOT, Worker
from tests.faults.conftest import spec_for, undisturbed_job  # noqa: F401
from tests.faults.queued import TOTAL
from tests.hosts.lab import PASSWORD, Lab, missing, refused


@pytest.fixture(scope="session")
def hosts_can_be_made():
    if why := refused():
        pytest.skip(why)
    if why := missing():
        if os.environ.get("HOSTS_TESTS") == "required":
            pytest.fail(why)
        pytest.skip(why)


@pytest.fixture
def lab(hosts_can_be_made):
    lab = Lab()
    try:
        lab.center, lab.one, lab.two = (lab.host(name) for name in ("center", "one", "two"))
        yield lab
    finally:
        lab.close()


def answers(host, port=6379):
    try:
        with redis.Redis(
            host.address, port, password=PASSWORD, socket_timeout=1, socket_connect_timeout=1
        ) as client:
            return client.ping()
    except redis.RedisError:
        return False


@pytest.fixture
def server(lab, tmp_path, wait_until):
    """The server's address, on the host in the center."""
    lab.server(lab.center, tmp_path / "center")
    wait_until(lambda: answers(lab.center), "the server answers", 30)

    class Reached:
        url = f"redis://:{PASSWORD}@{lab.center.address}:6379/0"

    return Reached


@pytest.fixture
def client(environment, server):
    return Client(environment(server))


@pytest.fixture
def submit(spec_for, wait_until):  # noqa: F811
    """Submits the job of `undisturbed_job` and waits until Redis knows how far it is, and of a checkpoint."""

    def begun(client, job):
        now = client.get(job.id)
        return now if now.seq is not None and now.iteration > 0 else None

    def submit(client):
        job = client.submit(spec_for(client)).job
        return wait_until(lambda: begun(client, job), "it trains, with a checkpoint", 180)

    return submit


@pytest.fixture
def work_on(tmp_path, wait_until):
    """Starts a worker on a host, and waits until it is `ready`; `variables`: of its environment, `within`: a
    file that it has as /proc/cpuinfo."""
    started = []

    def work_on(host, ready=True, within=None, **variables):
        log = tmp_path / f"{host.name}.log"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables}
        argv = [sys.executable, "-m", "celery", "-A", "workers.app", "worker", "--pool", "prefork"]
        argv += ["--without-gossip", "--without-mingle", "-n", f"w@{host.name}", "-l", "INFO"]
        if within is not None:  # a host has mounts of its own
            argv = ["sh", "-c", 'mount --bind "$0" /proc/cpuinfo && exec "$@"', str(within), *argv]
        with log.open("wb") as file:
            process = subprocess.Popen(
                host.command(argv), cwd=tmp_path, env=environment, stdout=file, stderr=file
            )
        worker = Worker(host.name, process, log)
        started.append(worker)
        if ready:
            wait_until(lambda: " ready." in worker.text() or process.poll() is not None, "it starts", 120)
            assert process.poll() is None, worker.text()
        return worker

    yield work_on
    for worker in started:
        family = [psutil.Process(worker.process.pid)] if psutil.pid_exists(worker.process.pid) else []
        family += [child for parent in family for child in parent.children(recursive=True)]
        for process in family:
            if process.is_running():
                process.send_signal(signal.SIGKILL)
        worker.process.wait()


@pytest.fixture
def note():
    """Notes what was done and seen, for `python -m benchmarks.faults hosts`."""
    begun = time.monotonic()

    def note(fault, done, **seen):
        if file := os.environ.get("HOSTS_ROWS"):
            row = {
                "fault": fault, **seen, "iterations": TOTAL, "attempts": done.attempts,
                "failures": done.failures, "state": str(done.state), "bits": "identical",
                "test_s": round(time.monotonic() - begun, 1),
            }  # fmt: skip
            with Path(file).open("a") as rows:
                rows.write(json.dumps(row) + "\n")

    return note
