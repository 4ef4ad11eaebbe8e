"""The one bit that a worker's main process tells its child: stop and hand the job back."""

from __future__ import annotations

import mmap
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Shared memory rather than an Event: a child that is killed while it holds an Event's lock would make the
# main process hang in its signal handler.
_shared = mmap.mmap(-1, 1)


def start() -> None:
    """Said by the main process when it is asked to end; the forked child sees it."""
    _shared[0] = 1


def asked() -> bool:
    """Whether this worker is ending."""
    return _shared[0] == 1


@contextmanager
def on_sigterm() -> Iterator[None]:
    """Within the block SIGTERM drains: a service manager signals the child as well as the main process."""

    def handler(_signal: int, _frame: FrameType | None) -> None:
        start()

    before = signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
