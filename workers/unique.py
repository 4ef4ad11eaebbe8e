"""A worker's name is its own: two of one name would answer each other's calls and share one announcement."""

from __future__ import annotations

import os
import socket

import psutil

from srqueue.errors import ServiceUnreachable, UsageError
from srqueue.settings import Settings
from srqueue.store.store import Store


def refuse_taken(settings: Settings, name: str) -> None:
    """Raises UsageError where another process of this machine is the worker of that name.

    A Redis that does not answer is waited for later.
    """
    try:
        known = Store.connect(settings).workers()
    except ServiceUnreachable:
        return
    for other in known:
        here = other.host == socket.gethostname() and other.pid != os.getpid()
        if other.name == name and here and psutil.pid_exists(other.pid):
            raise UsageError(
                f"the worker {name} is up already (process {other.pid})",
                where="--name",
                hint="give this one another name: --name NAME",
            )
