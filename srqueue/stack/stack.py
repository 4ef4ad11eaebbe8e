"""Starting, stopping and looking at the services of one machine."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from srqueue.errors import ConflictError, ServiceUnreachable, SrqueueError
from srqueue.settings import Settings
from srqueue.stack import commands, folders, ports, server
from srqueue.stack.processes import PidFile, has_ended, last_lines, lives, spawn, stop
from srqueue.store.record import WorkerRecord
from srqueue.store.store import Store

SERVICES = ("server", "worker", "flower")
"""In the order they are started; they are stopped the other way round."""

_PATIENCE = {"server": 30.0, "worker": 180.0, "flower": 15.0}
"""Seconds between SIGTERM and SIGKILL; the worker waits for a checkpoint."""

_READY = 60.0
"""Seconds a service may take until it answers."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class ServiceStatus:
    """One service.

    `state`: running, draining (a worker that ends), stopped, stale (left over from a crash), or
    elsewhere (not ours). `rests`: why a worker leaves the machine to its user for now.
    """

    name: str
    state: str
    pid: int | None
    since: float | None
    address: str | None
    log: str | None
    rests: str | None = None


class Stack:
    """The embedded server, one worker and Flower, as detached processes with pid files and logs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def pid_file(self, name: str) -> PidFile:
        """Where a service's pid is kept."""
        return PidFile(self.settings.home / "run" / f"{name}.pid")

    def log_file(self, name: str) -> Path:
        """Where a service's output goes."""
        return self.settings.logs / f"{name}.log"

    def up(self, services: Sequence[str] = SERVICES, report: Report = lambda _: None) -> tuple[str, ...]:
        """Starts what does not run yet; returns the names of what was started.

        Where one fails to start, those started before it in this call are stopped again.
        """
        folders.prepare(self.settings)
        with self._locked():
            missing = [name for name in SERVICES if name in services and not self._runs(name)]
            # Of a Procfile or a unit; where no server answers they are another stack's.
            for name in [n for n in missing if self._answers() and self._runs_elsewhere(n)]:
                missing.remove(name)
                report(f"{name} runs already (not started by srqueue up)")
            if "flower" in missing:
                commands.require_password(self.settings)
                ports.require_free(self.settings.flower_address, self.settings.flower_port)
            started: list[str] = []
            try:
                if self.settings.redis_url is not None:
                    Store.connect(self.settings).ping()
                for name in missing:
                    started.append(name)
                    self._start(name)
                    report(f"{name} started")
            except BaseException:
                for name in reversed(started):
                    self._stop(name)
                raise
        return tuple(started)

    def down(self, services: Sequence[str] = SERVICES, report: Report = lambda _: None) -> tuple[str, ...]:
        """Stops what runs: Flower, the worker (which hands its job back), then the server."""
        if not self.settings.home.is_dir():
            return ()
        folders.prepare(self.settings)
        stopped = []
        with self._locked():
            for name in reversed(SERVICES):
                if name not in services:
                    continue
                if self.pid_file(name).process() is not None:
                    report(f"stopping {name} ...")
                    gently = self._stop(name)
                    report(f"{name} stopped" if gently else f"{name} did not end by itself and was killed")
                    stopped.append(name)
                self.pid_file(name).remove()
        return tuple(stopped)

    def status(self) -> list[ServiceStatus]:
        """The state of every service."""
        return [self._status(name) for name in SERVICES]

    def _status(self, name: str) -> ServiceStatus:
        file, log = self.pid_file(name), self.log_file(name)
        process = file.process()
        address = self.settings.shown_url if name == "server" else None
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                address = file.read().get("address") or address
                worker = self._announced(process.pid) if name == "worker" else None
                state = "draining" if worker and worker.draining else "running"
                rests = worker.yielding if worker and state == "running" else None
                return ServiceStatus(
                    name, state, process.pid, process.create_time(), address, str(log), rests
                )
        if self._runs_elsewhere(name):
            address = commands.flower_url(self.settings) if name == "flower" else address
            return ServiceStatus(name, "elsewhere", None, None, address, None)
        state = "stale" if file.stale else "stopped"
        return ServiceStatus(name, state, None, None, address, str(log) if log.exists() else None)

    def _runs(self, name: str) -> bool:
        if self.pid_file(name).process() is not None:
            return True
        return name == "server" and (self.settings.redis_url is not None or self._answers())

    def _runs_elsewhere(self, name: str) -> bool:
        """Started by a Procfile or a service unit, not by us."""
        if name == "server":
            return self._answers()
        if name == "flower":
            return self._flower_answers()
        host = socket.gethostname()
        # One that was killed stays announced for a while.
        return self._answers() and any(
            worker.host == host and lives(worker.pid, worker.since)
            for worker in Store.connect(self.settings).workers()
        )

    def _announced(self, pid: int) -> WorkerRecord | None:
        """What this machine's worker of that process says of itself."""
        here = (socket.gethostname(), pid)
        known = Store.connect(self.settings).workers() if self._answers() else ()
        return next((worker for worker in known if (worker.host, worker.pid) == here), None)

    def _answers(self) -> bool:
        try:
            Store.connect(self.settings).ping()
        except ServiceUnreachable:
            return False
        return True

    def _start(self, name: str) -> None:
        settings = self.settings
        env, notes = commands.child_environment(settings), {}
        if name == "server":
            argv = server.server_argv(settings)
        elif name == "worker":
            argv, env = commands.worker_argv(), commands.worker_environment(settings)
        else:
            argv, env = commands.flower_argv(settings), commands.flower_environment(settings)
            notes = {"address": commands.flower_url(settings)}
        log = self.log_file(name)
        # A home folder as working folder: Celery and Flower read what lies where they are started.
        child = spawn(
            argv, pid_file=self.pid_file(name), log=log, env=env, cwd=settings.home.absolute(), **notes
        )
        ready = {
            "server": self._answers,
            "worker": lambda: self._worker_is_there(child),
            "flower": self._flower_answers,
        }
        deadline = time.monotonic() + _READY
        while not ready[name]():
            if has_ended(child) or time.monotonic() > deadline:
                what = "ended at once" if has_ended(child) else "does not answer"
                raise SrqueueError(f"{name} {what}\n{last_lines(log)}".rstrip(), where=str(log))
            time.sleep(0.1)

    def _stop(self, name: str) -> bool:
        process = self.pid_file(name).process()
        gently = stop(process, _PATIENCE[name]) if process else True
        self.pid_file(name).remove()
        return gently

    def _worker_is_there(self, process: psutil.Process) -> bool:
        host = socket.gethostname()
        known = Store.connect(self.settings).workers()
        return any(worker.pid == process.pid and worker.host == host for worker in known)

    def _flower_answers(self) -> bool:
        # Not urlopen: a proxy in the environment knows nothing of this machine's loopback.
        address = urlsplit(commands.flower_url(self.settings))
        connection = HTTPConnection(str(address.hostname), address.port, timeout=2)
        with contextlib.closing(connection):
            try:
                connection.request("GET", f"{address.path}/healthcheck")
                return connection.getresponse().read(16).strip() == b"OK"
            except (OSError, HTTPException):
                return False

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Only one `up` or `down` at a time."""
        with (self.settings.home / "run" / "stack.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ConflictError(
                    "another srqueue command is starting or stopping the stack",
                    hint="try again when it is done",
                ) from None
            yield
