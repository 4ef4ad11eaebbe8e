"""The uploader of a worker: a process of its own, kept alive, so that no training waits for a store."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Collection

from srqueue.settings import load_settings
from srqueue.variables import SECRET_VARIABLES

log = logging.getLogger(__name__)

FIRST_BACKOFF, LONGEST_BACKOFF = 2.0, 300.0  # s, before one that died is replaced
LAST_UPLOADS = 20.0
"""Seconds that a worker which ends leaves it for what is still to come."""
_LOOK = 1.0
NOT_NEEDED = frozenset(SECRET_VARIABLES) - {"SRQUEUE_REDIS_URL"}
"""Variables with secrets that the uploader works without."""


class Uploads(threading.Thread):
    """Keeps `python -m workers.uploader` alive until it is stopped. It ends with its worker in any case: its
    stdin is a pipe from here."""

    def __init__(self) -> None:
        super().__init__(name="uploads", daemon=True)
        self._ended = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Starts it, and another one where it has died."""
        backoff = FIRST_BACKOFF
        while not self._ended.is_set():
            begun = time.monotonic()
            try:
                self._child = _launch()
            except OSError as error:
                log.warning("the uploader cannot be started: %s", error.strerror or error)
            while self._child is not None and self._child.poll() is None and not self._ended.is_set():
                self._ended.wait(_LOOK)
            if self._ended.is_set():
                return
            if time.monotonic() - begun > LONGEST_BACKOFF:
                backoff = FIRST_BACKOFF
            log.warning("the uploader has ended; another begins in %.0f s", backoff)
            self._ended.wait(backoff)
            backoff = min(2 * backoff, LONGEST_BACKOFF)

    def stop(self) -> None:
        """Lets it upload what is there, for LAST_UPLOADS at most; the rest is for the next worker here."""
        self._ended.set()
        child = self._child
        if child is None or child.stdin is None:
            return
        with contextlib.suppress(OSError):
            child.stdin.write(b"finish\n")
            child.stdin.flush()
        try:
            child.wait(LAST_UPLOADS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        with contextlib.suppress(OSError):
            child.stdin.close()


def environment_without(names: Collection[str]) -> dict[str, str]:
    """This process's environment for a child that needs those not."""
    return {key: value for key, value in os.environ.items() if key not in names}


def _launch() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "workers.uploader"],
        stdin=subprocess.PIPE, env=_environment(), start_new_session=True,
    )  # fmt: skip


def _environment() -> dict[str, str]:
    """With the address of Redis, which may lie in a file of SRQUEUE_SECRETS: no other of those."""
    environment, url = environment_without(NOT_NEEDED), load_settings().redis_url
    if url is not None:
        environment["SRQUEUE_REDIS_URL"] = url.get_secret_value()
    return environment
