"""Real Celery workers, each with its own network to Valkey, and the processes below them."""

import contextlib
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.faults.place import Place
from benchmarks.faults.proxy import Proxy
from srqueue.stack.commands import worker_argv, worker_environment


@dataclass(frozen=True)
class Family:
    """A worker's living processes: Celery's main one, the supervisors below it, the trainers below them, and
    those trainers that wait for a job."""

    main: psutil.Process | None
    supervisors: list[psutil.Process]
    trainers: list[psutil.Process]
    spares: list[psutil.Process]

    @property
    def all(self) -> list[psutil.Process]:
        """All of them, the main one first."""
        return [*([self.main] if self.main else []), *self.supervisors, *self.trainers, *self.spares]


class Worker:
    """One worker; started again by `start`. `down`: a fault has ended it; `frozen`: one has stopped it."""

    def __init__(self, place: Place, name: str, proxied: bool = True) -> None:
        self.place, self.name = place, name
        self.proxy = Proxy(place.server.port) if proxied else None
        self.log = place.home / "logs" / f"{name}.log"
        self.process: subprocess.Popen | None = None
        self.down, self.frozen = True, False

    def start(self) -> None:
        """Starts it; its log is one file over all its lives."""
        self.log.parent.mkdir(exist_ok=True)
        marked = self.place.environment(self.name)
        environment = worker_environment(self.place.settings) | {
            key: value for key, value in marked.items() if not key.startswith("SRQUEUE_")
        }
        environment["SRQUEUE_REDIS_URL"] = self.proxy.url if self.proxy else self.place.server.url
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                worker_argv(self.name), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, cwd=self.log.parent, start_new_session=True,
            )  # fmt: skip
        self.down = self.frozen = False

    @property
    def ended(self) -> bool:
        """Whether its main process has."""
        return self.process is None or self.process.poll() is not None

    @property
    def ready(self) -> bool:
        """Whether its newest life has said so."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return not self.ended and " ready." in text[text.rfind("[config]") :]

    def signal(self, number: signal.Signals) -> None:
        """To the main process."""
        if self.process is not None:
            self.process.send_signal(number)

    def family(self) -> Family:
        """What lives now."""
        main, supervisors, trainers, spares = None, [], [], []
        for process in self.place.marked(self.name):
            with contextlib.suppress(psutil.Error):
                command = process.cmdline()
                if self.process is not None and process.pid == self.process.pid:
                    main = process
                elif "workers.trainer" in command:
                    (trainers if run_folder(process) else spares).append(process)
                elif "celery" in command:
                    supervisors.append(process)
        return Family(main, supervisors, trainers, spares)

    def close(self) -> None:
        """Ends the network; the processes are the place's to end."""
        if self.proxy:
            self.proxy.close()


def run_folder(trainer: psutil.Process) -> Path | None:
    """Which run a trainer works on; None for a spare that waits for one."""
    with contextlib.suppress(psutil.Error, ValueError, IndexError):
        command = trainer.cmdline()
        if "--spare" not in command:
            return Path(command[command.index("workers.trainer") + 1])
        beats = (Path(file.path) for file in trainer.open_files() if file.path.endswith("/beat"))
        return next((beat.parents[2] for beat in beats), None)
    return None


def send(processes: list[psutil.Process], number: signal.Signals) -> None:
    """A signal to each that still lives."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)
