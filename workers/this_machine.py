"""Which machine, and which of its worlds of process ids, this process is in."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import psutil


@cache
def machine_id() -> str:
    """Names boot and process-id namespace; empty where that cannot be known (only Linux says it).

    Within one of these a process id that is not there is no process: containers that share a host name
    differ in it, and so does the same machine after a restart.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def is_dead(owner: str) -> bool:
    """Whether `owner` (`<worker>:<process id>`) of this very machine is surely no process any more."""
    pid = owner.rpartition(":")[2]
    return pid.isdigit() and not psutil.pid_exists(int(pid))
