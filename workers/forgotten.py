"""Trainers that nobody waits for any more, and that still hold what the next one needs."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil

from srqueue.errors import ServiceUnreachable, SrqueueError
from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState
from srqueue.store.store import Store
from workers.trainer.device_lock import is_held, lock_files, read_holder

ENDS_WITHIN = 10.0
"""Seconds for a killed process to be gone."""


def end_leftovers(run: RunDir, host: str) -> None:
    """Ends trainers of earlier attempts at this run that still live on this host, and waits for them.

    They are known by process id and creation time, so a stranger with a reused id is left alone.
    """
    for attempt in run.attempts():
        noted = attempt.read()
        if noted.get("host") == host and isinstance(noted.get("trainer"), dict):
            _end(noted["trainer"])


def free_device(lock: Path | None, store: Store, waiting: int = 0) -> None:
    """Ends a trainer that holds a device, or a slot of it, where its job was taken over or ended since.

    A stopped one holds it for ever: nobody else will wake it. One that trains for its job, or by hand, is
    left alone, and so is `waiting`, the process that the device is for. Any user can write into the file:
    only a process that has it open is ended.
    """
    for file in lock_files(lock) if lock else []:
        try:
            if not is_held(file):
                continue
        except OSError:  # a place that cannot lock
            continue
        holder = read_holder(file)
        if holder.get("pid") != waiting and _forgotten(holder, store):
            _end(holder, file)


def _forgotten(holder: dict[str, Any], store: Store) -> bool:
    job, token = holder.get("job"), holder.get("token")
    if not holder.get("supervised") or not isinstance(job, str) or not isinstance(token, int):
        return False
    try:
        record = store.get(job)
    except ServiceUnreachable:
        return False
    except SrqueueError:  # there is no such job
        return False
    # A record of a lower token is from before this claim: Redis went back, and its owner will tell it again.
    return record.token > token or (record.token == token and record.state is not JobState.RUNNING)


def _end(process: dict[str, Any], has_open: Path | None = None) -> None:
    """Kills the group of a process by {pid, create_time}, where it has a file open if one is given."""
    with contextlib.suppress(psutil.Error, ProcessLookupError, KeyError, TypeError, ValueError):
        found = psutil.Process(int(process["pid"]))
        same = abs(found.create_time() - float(process["create_time"])) < 1.0
        if same and (has_open is None or _has_open(found, has_open)):
            os.killpg(found.pid, signal.SIGKILL)
            _wait_for(found)


def _has_open(process: psutil.Process, file: Path) -> bool:
    return any(Path(opened.path) == file.resolve() for opened in process.open_files())


def _wait_for(process: psutil.Process) -> None:
    """Until it is gone; as a zombie it is, and stays one where its parent is frozen."""
    until = time.monotonic() + ENDS_WITHIN
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
        time.sleep(0.02)
