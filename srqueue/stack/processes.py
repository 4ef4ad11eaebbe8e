"""Processes that outlive the command which started them.

A pid file holds `{pid, create_time, ...}`: a pid alone may belong to a stranger after a crash or a reboot.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from srqueue.errors import SrqueueError
from srqueue.run.atomic import write_json

# Clock ticks are 10 ms; psutil's start time of one process may differ by that between two reads.
_SAME_START = 0.05

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class PidFile:
    """The pid file of one detached process."""

    path: Path

    def read(self) -> dict[str, Any]:
        """Its content; empty where there is none or it is not whole."""
        try:
            value = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def process(self) -> psutil.Process | None:
        """The very process that was started, or None where it is gone or its pid is now a stranger's."""
        content = self.read()
        try:
            process = psutil.Process(int(content["pid"]))
            same = abs(process.create_time() - float(content["create_time"])) < _SAME_START
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except (KeyError, TypeError, ValueError, psutil.Error):
            return None

    @property
    def stale(self) -> bool:
        """True where the file is left over from a process that is gone."""
        return self.path.exists() and self.process() is None

    def remove(self) -> None:
        """Removes the file where it is there."""
        self.path.unlink(missing_ok=True)


def spawn(
    argv: Sequence[str], *, pid_file: PidFile, log: Path, env: Mapping[str, str], cwd: Path, **notes: str
) -> psutil.Process:
    """Starts `argv` in a session of its own, its output appended to `log`; `notes` go into the pid file.

    Raises SrqueueError where the program cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    pid_file.path.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output, _uninterrupted():
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
                umask=0o077,
            )
        except OSError as error:
            raise SrqueueError(f"cannot start {argv[0]}: {error.strerror}", where=str(argv[0])) from None
        process = psutil.Process(child.pid)
        try:
            write_json(pid_file.path, {"pid": child.pid, "create_time": process.create_time(), **notes})
        except OSError as error:
            process.kill()  # nobody would find it again
            raise SrqueueError(
                f"cannot write the pid file: {error.strerror}", where=str(pid_file.path)
            ) from None
    return process


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP take effect only after the block.

    Handlers and no signal mask: a mask would go on to the child.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in _ENDINGS}
    heard = {number: old for number, old in before.items() if old not in (signal.SIG_IGN, None)}
    for number in heard:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, old in heard.items():
            signal.signal(number, old)
        for one in came:
            signal.raise_signal(one)


def lives(pid: int, since: float) -> bool:
    """True where process `pid` of this host lives and was there at `since` (UTC s)."""
    try:
        process = psutil.Process(pid)
        return process.create_time() <= since + 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def has_ended(process: psutil.Process) -> bool:
    """True where the process is gone, or dead and not yet collected by its parent."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def stop(process: psutil.Process, patience: float) -> bool:
    """SIGTERM; after `patience` seconds SIGKILL for it and its children.

    True where SIGTERM was enough.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
        if _wait(process, patience):
            return True
        family = [process, *process.children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        _wait(process, 10)
        return False
    return True


def _wait(process: psutil.Process, seconds: float) -> bool:
    try:
        process.wait(seconds)
    except psutil.TimeoutExpired:
        return has_ended(process)
    return True


def last_lines(path: Path, count: int = 5) -> str:
    """The last lines of a log, for an error message; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-count:])
