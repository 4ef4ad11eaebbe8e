"""Checks of each layer, from the settings to Flower: what `srqueue doctor` shows."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from srqueue.datasets import Registry
from srqueue.errors import DataError, ServiceUnreachable, SrqueueError, UsageError
from srqueue.queue.app import make_app
from srqueue.remote.folder import RemoteFolder
from srqueue.remote.layout import ROOT_ID
from srqueue.remote.root import read_remote_id
from srqueue.settings import Settings
from srqueue.stack import commands, folders
from srqueue.stack.processes import lives
from srqueue.stack.server import find_server, server_version
from srqueue.stack.stack import Stack
from srqueue.store.connection import Connection
from srqueue.store.server_safety import hole, named, refuse_anybody
from srqueue.store.store import Store
from srqueue.store.unreachable import hint_of


@dataclass(frozen=True)
class Finding:
    """What was found in one layer. `ok` None: not looked at, as something below it failed or is not used."""

    layer: str
    ok: bool | None
    text: str
    repair: str | None = None


class NotUsed(Exception):
    """This machine does without that layer."""


def examine(settings: Settings, report: Callable[[Finding], None]) -> list[Finding]:
    """Looks at every layer in turn and reports each at once."""
    findings: list[Finding] = []
    failed: set[str] = set()
    for layer, needs, check in LAYERS:
        if needs in failed:
            finding = Finding(layer, None, f"not looked at: needs {needs}")
            failed.add(layer)
        else:
            finding = _look(layer, check, settings)
            if finding.ok is False:
                failed.add(layer)
        findings.append(finding)
        report(finding)
    return findings


def _look(layer: str, check: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(layer, True, check(settings))
    except NotUsed as reason:
        return Finding(layer, None, str(reason))
    except SrqueueError as error:
        text = error.message + (f" ({error.where})" if error.where else "")
        return Finding(layer, False, " ".join(text.split()), error.hint)


def home(settings: Settings) -> str:
    """The home folder can be written to."""
    folders.prepare(settings)
    if not os.access(settings.home, os.W_OK):
        raise UsageError(
            "the home folder cannot be written to", where=str(settings.home), hint="set SRQUEUE_HOME"
        )
    return str(settings.home)


def disk(settings: Settings) -> str:
    """There is room for checkpoints."""
    if warning := folders.low_space(settings):
        raise SrqueueError(warning, hint="free some space, or set SRQUEUE_RUNS to a folder on another disk")
    return f"{folders.free_bytes(settings.runs_root) / 1e9:.0f} GB free for {settings.runs_root}"


def server_binary(settings: Settings) -> str:
    """There is a server to start."""
    if settings.redis_url is not None:
        raise NotUsed(f"not used: SRQUEUE_REDIS_URL is {settings.shown_url}")
    binary = find_server()
    return f"{binary} ({'.'.join(map(str, server_version(binary)))})"


def store(settings: Settings) -> str:
    """Redis answers."""
    counts = Store.connect(settings).count_by_state()
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"{settings.shown_url}, jobs: {told or 'none'}"


def door(settings: Settings) -> str:
    """It asks who comes, and has no hole that is known."""
    connection = Connection(settings)
    refuse_anybody(connection)
    found = named(connection)
    if found is None:
        return "its version is not told to this user"
    return hole(*found) or " ".join(found)


def broker(settings: Settings) -> str:
    """Celery reaches the same server."""
    try:
        with make_app(settings).connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
            return str(connection.as_uri())
    except Exception as error:  # kombu wraps what redis-py raises, and more
        raise ServiceUnreachable(f"Celery cannot connect: {error}", hint=hint_of(settings, error)) from None


def workers(settings: Settings) -> str:
    """A worker is up, here or elsewhere."""
    host = socket.gethostname()
    announced = Store.connect(settings).workers()
    known = [worker for worker in announced if worker.host != host or lives(worker.pid, worker.since)]
    if not known:
        raise ServiceUnreachable("no worker is up", hint="srqueue up (or srqueue worker)")
    return ", ".join(f"{worker.name} ({worker.device})" for worker in known)


def torch(settings: Settings) -> str:
    """PyTorch works and sees the device that the settings ask for."""
    if find_spec("torch") is None:
        if settings.redis_url is not None:
            raise NotUsed("not installed: this machine submits, others train")
        raise UsageError("torch is not installed", hint="pip install 'srqueue[worker]'")
    found = subprocess.run(
        [sys.executable, "-m", "workers.torch_device", settings.device],
        capture_output=True,
        text=True,
        env=commands.child_environment(settings, OMP_NUM_THREADS="1"),
    )
    lines = (found.stdout or found.stderr).strip().splitlines()
    last = lines[-1] if lines else "it said nothing"
    if found.returncode:
        raise SrqueueError(last, hint="install PyTorch for this machine, or set SRQUEUE_DEVICE=cpu")
    return last


def data_sets(settings: Settings) -> str:
    """The registered data sets lie where they were, on a machine that trains."""
    entries = Registry(settings).entries()
    for entry in entries if find_spec("torch") else ():
        for folder in entry.folders:
            if not Path(folder).is_dir():
                raise DataError(
                    f"a folder of data set {entry.name!r} is not there",
                    where=folder,
                    hint=f"mount its disk, or: srqueue dataset rm {entry.name}",
                )
    return ", ".join(entry.name for entry in entries) or "none yet (srqueue dataset add NAME --hr FOLDER)"


def remote(settings: Settings) -> str:
    """The remote folder answers, and is one of srqueue or empty."""
    if not settings.remote:
        raise NotUsed("not used: SRQUEUE_REMOTE is not set")
    folder = RemoteFolder.open(settings.remote)
    read_remote_id(folder)
    how = "with" if folder.creates_alone(ROOT_ID) else "without"
    return f"{settings.remote}, {how} conditional writes"


def flower(settings: Settings) -> str:
    """Flower runs."""
    if find_spec("flower") is None:
        raise NotUsed("not installed: pip install 'srqueue[monitor]'")
    status = next(s for s in Stack(settings).status() if s.name == "flower")
    if status.state not in ("running", "elsewhere"):
        if settings.redis_url is not None:
            raise NotUsed("not on this machine: one for all is enough")
        raise ServiceUnreachable("Flower is not running", hint="srqueue up (or srqueue flower)")
    return str(status.address)


LAYERS: tuple[tuple[str, str | None, Callable[[Settings], str]], ...] = (
    ("home", None, home),
    ("disk", "home", disk),
    ("server", None, server_binary),
    ("redis", "home", store),
    ("door", "redis", door),
    ("broker", "redis", broker),
    ("workers", "redis", workers),
    ("torch", None, torch),
    ("data sets", None, data_sets),
    ("remote", None, remote),
    ("flower", "redis", flower),
)
"""(name, the layer it stands on, check), from the bottom up."""
