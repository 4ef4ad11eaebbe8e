"""Live progress in Flower's task list."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery

from srqueue.store.record import JobRecord

log = logging.getLogger(__name__)

_SECONDS_BETWEEN = 2.0
_SECONDS_AFTER_FAILURE = 15.0
_WAIT = 1.0  # seconds; a supervisor must not hang in a message that only informs


def duration(seconds: float) -> str:
    """`42s`, `12m`, `3h`, `2d`."""
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f}{letter}"
    return f"{seconds:.0f}s"


def progress_text(job: JobRecord, iteration: int, progress: Mapping[str, Any]) -> str:
    """`it 1200/80000 psnr 29.41 dB eta 3h · name 1a2b3c`: what is known of it."""
    parts = [f"it {iteration}/{job.total_iter}"]
    if (psnr := progress.get("psnr")) is not None:
        parts.append(f"psnr {psnr:.2f} dB")
    if (eta := progress.get("eta_s")) is not None:
        parts.append(f"eta {duration(eta)}")
    return f"{' '.join(parts)} · {job.name} {job.short_id}"


class FlowerReport:
    """Sends `task-progress` events of one task, at most one in two seconds; failures are only logged.

    Flower shows no field that it does not know; `result` is the one that reaches its task list. `app`: that
    of the broker in use at the moment.
    """

    def __init__(self, app: Callable[[], Celery], hostname: str, task_id: str) -> None:
        self._app = app
        self._hostname = hostname
        self._task_id = task_id
        self._dispatcher: Any = None
        self._not_before = 0.0

    def send(self, job: JobRecord, iteration: int, progress: Mapping[str, Any]) -> None:
        """Tells where the training stands, unless that was told just now."""
        if time.monotonic() < self._not_before:
            return
        wait = _SECONDS_BETWEEN
        try:
            text = progress_text(job, iteration, progress)
            self._open().send("task-progress", uuid=self._task_id, result=text, retry=False)
        except Exception as error:  # whatever it is, the training is worth more than its display
            log.info("progress was not shown: %s", error)
            wait = _SECONDS_AFTER_FAILURE
            self.close()
        self._not_before = time.monotonic() + wait

    def close(self) -> None:
        """Gives the connection back."""
        if self._dispatcher is not None:
            self._dispatcher.connection.release()
            self._dispatcher = None

    def _open(self) -> Any:
        if self._dispatcher is None:
            short = {"socket_timeout": _WAIT, "socket_connect_timeout": _WAIT}
            app = self._app()
            connection = app.connection_for_write(transport_options=short)
            self._dispatcher = app.events.Dispatcher(connection, hostname=self._hostname)
        return self._dispatcher
