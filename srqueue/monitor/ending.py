"""Flower ends when it is told to, also where Redis is away.

Its calls to workers are repeated until Redis is back, in threads that Python waits for at its end.
"""

from __future__ import annotations

import os
import threading
from functools import wraps

from flower.app import Flower

GRACE = 3.0
"""Seconds for such calls after the pages are closed and the task list is saved."""


def end_in_time() -> None:
    """Once in a process, before Flower starts."""
    start = Flower.start

    @wraps(start)
    def start_and_end(flower: Flower) -> None:
        try:
            start(flower)
        finally:
            flower.stop()
            last = threading.Timer(GRACE, os._exit, (0,))
            last.daemon = True  # where nothing is left to wait for, it is not waited for either
            last.start()

    Flower.start = start_and_end
