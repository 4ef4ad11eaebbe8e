"""Asking Redis again where an answer did not come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from srqueue.errors import ServiceUnreachable
from srqueue.store.record import RecordGone

T = TypeVar("T")

FIRST_WAIT = 0.1
LONGEST_WAIT = 2.0
LONGEST_PATIENCE = 60.0
"""Seconds; a worker that is to end must not hang for the hour that a lease may last."""
OUTAGE = 600.0
"""Seconds that somebody who waits for hours rides out."""


def patiently(call: Callable[[], T], seconds: float, most: float = LONGEST_PATIENCE) -> T:
    """What `call` returns; a Redis that does not answer is asked again for `seconds`, `most` at most.

    Only for calls that may run twice: the first may have been heard, and its answer lost.
    """
    until = time.monotonic() + min(seconds, most)
    wait = FIRST_WAIT
    while True:
        try:
            return call()
        except RecordGone:
            raise  # it answers
        except ServiceUnreachable:
            if time.monotonic() + wait > until:
                raise
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)
