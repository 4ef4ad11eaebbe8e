"""The trainer as an operating-system process: threads, the run's lock, dying with its parent."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from srqueue.errors import ConflictError
from srqueue.run.folder import AttemptDir, RunDir

ORPHANED = 70
"""Exit status of a trainer whose supervisor died."""

_PR_SET_PDEATHSIG = 1
_LOCK_WAIT = 30.0


def threads_of(run: RunDir, attempt: AttemptDir) -> int:
    """The thread count of an attempt: of the resolved spec, the spec, attempt.json, or one.

    One thread is the default because two trainings with two threads each on two cores were 14 times slower
    than with one each (spinning OpenMP threads).
    """
    asked = [_compute(run.resolved_file), _compute(run.spec_file), attempt.read()]
    counts = [v for part in asked if isinstance(v := part.get("threads"), int) and v > 0]
    slots = asked[-1].get("slots")
    return min(counts[0] if counts else 1, most_threads(slots if isinstance(slots, int) else 1))


def most_threads(slots: int) -> int:
    """Threads of a trainer at the most, where so many share the cores: more would wait for each other."""
    return max(1, cores() // max(1, slots))


def cores() -> int:
    """CPU cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def set_thread_count(threads: int) -> None:
    """Puts it where OpenMP and MKL read it: before torch is imported."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    # cuBLAS is deterministic only with a fixed workspace, which it reads when CUDA starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def _compute(file: Path) -> dict[str, Any]:
    """The raw `compute` section of a spec file; empty where there is none (the spec is checked later)."""
    try:
        section = json.loads(file.read_text())["compute"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return section if isinstance(section, dict) else {}


def die_with_parent() -> None:
    """Asks Linux to kill this process when its parent ends; elsewhere the end of stdin does it."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel knew
        os._exit(ORPHANED)


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Holds the run's lock; the kernel frees it only when this process ends, however it ends.

    A trainer that was just killed may need a moment to go; ConflictError when it is not gone by then.
    """
    with path.open("a") as file:
        limit = time.monotonic() + _LOCK_WAIT
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > limit:
                    raise ConflictError(
                        "another trainer works in this run folder", where=str(path.parent)
                    ) from None
                time.sleep(0.1)
        yield
