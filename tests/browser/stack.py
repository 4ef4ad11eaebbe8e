"""A whole stack for browsers: Valkey, a worker that trains, Flower with a password behind a url_prefix."""

import contextlib
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from srqueue.queue.client import Client
from srqueue.run.reasons import JobState
from srqueue.settings import Settings

ROOT = Path(__file__).parents[2]
USER, PASSWORD = "maria", "not-a-secret"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Stack:
    """Services of one session, and the jobs that run in them."""

    folder: Path
    server: object
    wait_until: object
    processes: list[subprocess.Popen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = free_port()
        self.variables = {
            "REDIS_URL": self.server.url, "HOME": self.folder / "home", "RUNS": self.folder / "runs",
            "DATASETS": self.folder / "datasets.yaml", "DEVICE": "cpu", "THREADS": 1, "WARM": "false",
            "RENEW": 0.5, "FLOWER_PORT": self.port, "FLOWER_AUTH": f"{USER}:{PASSWORD}",
            "FLOWER_URL_PREFIX": "lab",
        }  # fmt: skip
        self.settings = Settings(**{key.lower(): value for key, value in self.variables.items()})
        self.client = Client(self.settings)

    @property
    def address(self) -> str:
        """Of Flower."""
        return f"http://127.0.0.1:{self.port}/lab"

    def url(self, path: str = "") -> str:
        """Of a Training page."""
        return f"{self.address}/training{path}"

    def start(self, *command: str, nice: int = 0) -> None:
        """One service, as a user starts it; `nice` lets it take only what the others leave."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SRQUEUE_", "FLOWER_"))}
        env |= {f"SRQUEUE_{key}": str(value) for key, value in self.variables.items()}
        path = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
        env |= {"PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"}
        with (self.folder / f"{command[0]}.log").open("wb") as log:
            argv = ["nice", "-n", str(nice), sys.executable, "-m", "srqueue.cli", *command]
            self.processes.append(subprocess.Popen(argv, env=env, stdout=log, stderr=log))

    def flower_answers(self) -> bool:
        """Whether the pages are up: 401 comes from Flower itself."""
        try:
            urllib.request.urlopen(self.url("/api/jobs"), timeout=2).close()
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            assert all(process.poll() is None for process in self.processes), self.logs()
        return False

    def submit(self, spec, **how):
        """A job, queued."""
        return self.client.submit(spec, again=True, **how).job

    def until(self, job_id: str, condition, what: str, timeout: float = 90):
        """The job's record once `condition` holds for it."""

        def look():
            record = self.client.get(job_id)
            assert record.state is not JobState.FAILED, f"{record.message}\n{self.logs()}"
            return record if condition(record) else None

        return self.wait_until(look, what, timeout)

    def logs(self) -> str:
        """What the services printed last."""
        return "\n".join(file.read_text(errors="replace")[-3000:] for file in self.folder.glob("*.log"))

    def close(self) -> None:
        """Ends all processes that this started, and theirs."""
        family = []
        for process in self.processes:
            with contextlib.suppress(psutil.Error):
                family += [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        for process in self.processes:
            process.wait()
        psutil.wait_procs(family, timeout=10)
        self.client.store.connection.close()
        self.server.close()
