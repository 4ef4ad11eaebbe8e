"""How a worker ends: its main process tells its child to hand the job back, or to take no other one."""

from __future__ import annotations

import mmap
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from srqueue.store.drains import Drain

# Shared memory rather than an Event: a child that is killed while it holds an Event's lock would make the
# main process hang in its signal handler.
_shared = mmap.mmap(-1, 2)
_HAND_OVER, _FINISH = 0, 1  # bytes
_SAVING, _AT_ONCE = 1, 2  # of _HAND_OVER
_ASKED, _UNDER_WAY = 1, 2  # of _FINISH: the main process has still to hear its signal, or has heard it


def start(at_once: bool = False) -> None:
    """Said by the main process when it is asked to end; the forked child sees it.

    `at_once`: nothing more is saved; said by a second Ctrl-C, or SIGQUIT.
    """
    _shared[_HAND_OVER] = max(_shared[_HAND_OVER], _AT_ONCE if at_once else _SAVING)


def asked() -> bool:
    """Whether this worker is ending, and its job is to be handed over."""
    return _shared[_HAND_OVER] != 0


def at_once() -> bool:
    """Whether it is to end without a last checkpoint."""
    return _shared[_HAND_OVER] == _AT_ONCE


def finishing() -> bool:
    """Whether this worker ends when its job does."""
    return _shared[_FINISH] != 0


def end(how: Drain) -> None:
    """Ends this worker from a thread of its main process; asked to finish before, it may now hand over."""
    if how is Drain.FINISH:
        if asked() or finishing():
            return
        _shared[_FINISH] = _ASKED
    else:
        start()
    # Celery's own way to end: no task is taken any more, the running one is waited for.
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def shutting_down(at_once: bool = False) -> None:
    """The main process was told to end: it hands the job over, unless it was `end` that told it to finish."""
    if _shared[_FINISH] == _ASKED and not at_once:
        _shared[_FINISH] = _UNDER_WAY
    else:
        start(at_once)


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
