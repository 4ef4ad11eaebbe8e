"""Where faults happen: a folder with pictures, a Valkey server, and processes that are known by a mark."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import redis
from PIL import Image
from skimage import data

import srqueue
from srqueue.datasets import Registry, add
from srqueue.run.folder import RunDir
from srqueue.settings import Settings, load_settings
from srqueue.spec.job import JobSpec
from srqueue.stack.server import find_server

MARK = "SRQ_BENCHMARK_MARK"
"""Environment variable that every process of a benchmark inherits: `<benchmark's own>/<who>`."""
DATASET = "faults"
ROOT = str(Path(srqueue.__file__).parents[1])
SIDE = 160
"""Pixels of a training picture."""
HELD_OUT_SIDE = 64


def say(text: str) -> None:
    """One line of progress."""
    print(time.strftime("%H:%M:%S"), text, flush=True)


def until(condition: Callable[[], object], what: str, patience: float = 300.0, look: float = 0.05) -> float:
    """Waits for `condition`; seconds it took. TimeoutError after `patience` seconds."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > patience:
            raise TimeoutError(f"waited {patience:.0f} s in vain: {what}")
        time.sleep(look)
    return time.monotonic() - begun


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A Valkey server on a loopback port that keeps every write."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.port, self._environment = folder, free_port(), environment
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Starts it on its append-only file and waits for its answer."""
        self.folder.mkdir(parents=True, exist_ok=True)
        argv = [find_server(), "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder]
        argv += ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]
        argv += ["--maxmemory-policy", "noeviction"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(a) for a in argv], stdout=log, stderr=log, env=self._environment, start_new_session=True
            )
        until(self.answers, "the server answers", 60)

    def answers(self) -> bool:
        """Whether it does."""
        with contextlib.suppress(redis.RedisError, OSError), self.client(1) as client:
            return bool(client.ping())
        return False

    def client(self, timeout: float = 3.0) -> redis.Redis:
        """A connection of its own, that no fault of a worker's network touches."""
        return redis.Redis.from_url(
            self.url, decode_responses=True, socket_timeout=timeout, socket_connect_timeout=timeout
        )

    def signal(self, number: signal.Signals) -> None:
        """SIGKILL waits for the end."""
        if self.process is not None:
            self.process.send_signal(number)
            if number is signal.SIGKILL:
                self.process.wait()


class Place:
    """The folder, its environment, its pictures and its server. Ends every process that it marked."""

    def __init__(self, folder: Path | None = None, **settings: str) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self.home = folder.absolute() if folder else Path(tempfile.mkdtemp(prefix="srq-faults-"))
        self.mark = self._own_mark()
        self.end_marked()  # of a benchmark in this folder that was killed
        for name in [n for n in os.environ if n.startswith("SRQUEUE_")]:
            del os.environ[name]
        values = {
            "HOME": self.home, "RUNS": self.home / "runs", "DATASETS": self.home / "datasets.yaml",
            "DEVICE": "cpu", "THREADS": "1", **settings,
        }  # fmt: skip
        os.environ |= {f"SRQUEUE_{name}": str(value) for name, value in values.items()}
        os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": ROOT}
        self.server = Server(self.home / "redis", self.environment("server"))
        os.environ["SRQUEUE_REDIS_URL"] = self.server.url
        self.settings: Settings = load_settings()
        self.registry = Registry(self.settings)
        self._register_pictures()

    def environment(self, who: str) -> dict[str, str]:
        """This process's, with the mark."""
        return os.environ | {MARK: f"{self.mark}/{who}", "PYTHONUNBUFFERED": "1"}

    def marked(self, who: str | None = None) -> list[psutil.Process]:
        """Living processes that carry the mark, of `who` or of anybody."""
        wanted = f"{self.mark}/{who or ''}"
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                mark = process.environ().get(MARK, "")
                if mark == wanted or (who is None and mark.startswith(wanted)):
                    found.append(process)
        return found

    def trainer(self, run: RunDir, token: int) -> subprocess.Popen:
        """A trainer by hand on an attempt that was written, without any queue."""
        command = [sys.executable, "-m", "workers.trainer", str(run.path), "--token", str(token)]
        with run.attempt(token).log_file.open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment("by-hand")
            )

    def close(self, keep: bool = False) -> None:
        """Ends what still lives; deletes the folder unless it is to be kept."""
        self.end_marked()
        if keep:
            say(f"kept: {self.home}")
        else:
            shutil.rmtree(self.home, ignore_errors=True)

    def end_marked(self) -> None:
        """Kills every process that carries the mark."""
        left = self.marked()
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=10)

    def _own_mark(self) -> str:
        file = self.home / "mark"
        if not file.exists():
            file.write_text(secrets.token_hex(6))
        return file.read_text()

    def _register_pictures(self) -> None:
        """Crops of photographs from scikit-image's wheel; one small one is held out."""
        folder = self.home / "pictures"
        if self.registry.find(DATASET) is not None:
            return
        folder.mkdir(exist_ok=True)
        photos = {"astronaut": data.astronaut(), "coffee": data.coffee(), "rocket": data.rocket()}
        for name, photo in photos.items():
            for i, left in enumerate((0, SIDE)):
                part = photo[40 : 40 + SIDE, 60 + left : 60 + left + SIDE]
                Image.fromarray(part).save(folder / f"{name}{i}.png")
        face = data.chelsea()[80 : 80 + HELD_OUT_SIDE, 130 : 130 + HELD_OUT_SIDE]
        Image.fromarray(face).save(folder / "held_out.png")
        add(self.settings, DATASET, folder, hold_out=["held_out.png"])


def prepared(run: RunDir, spec: JobSpec, listings: dict, resume: object = None, token: int = 1) -> RunDir:
    """A run folder with the attempt `token` written, as a supervisor does it."""
    run.create()
    if not run.spec_file.exists():
        run.spec_file.write_text(spec.model_dump_json())
    run.write_attempt(token, resume, listings=listings, device="cpu", threads=1)  # type: ignore[arg-type]
    return run
