"""Requests to stop, from the supervisor's pipe or from signals; the loop looks at them between iterations."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from types import FrameType

from srqueue.run.folder import RunDir
from srqueue.run.reasons import StopReason
from workers.trainer.process import ORPHANED

REQUESTS = (
    StopReason.PAUSED,
    StopReason.CANCELLED,
    StopReason.DRAINED,
    StopReason.BUDGET_SPENT,
    StopReason.PREEMPTED,
    StopReason.YIELDED,
    StopReason.LEASE_LOST,
)
"""What a trainer may be asked to stop for."""


_LOOK = 2.0
"""Seconds between two looks for a later attempt."""


class StopRequest:
    """The first request to stop, or None. `lease_lost` overrides an earlier one: it forbids saving."""

    def __init__(self) -> None:
        self.reason: StopReason | None = None

    def ask(self, reason: StopReason) -> None:
        """Notes a request."""
        if self.reason is None or reason is StopReason.LEASE_LOST:
            self.reason = reason

    def listen_to_signals(self, reason: StopReason) -> None:
        """SIGTERM and SIGINT ask to stop; a second one ends the process at once."""

        def note(number: int, frame: FrameType | None) -> None:
            self.ask(reason)
            signal.signal(number, signal.SIG_DFL)

        signal.signal(signal.SIGTERM, note)
        signal.signal(signal.SIGINT, note)

    def listen_to_stdin(self) -> None:
        """Lines `{"stop": reason}` from the supervisor; its end means the supervisor died."""
        threading.Thread(target=self._read_stdin, name="stop-requests", daemon=True).start()

    def listen_to_successors(self, run: RunDir, token: int) -> None:
        """A later attempt at this run means that its supervisor has lost the lease, and may be frozen."""

        def taken_over() -> bool:
            try:
                return any(attempt.token > token for attempt in run.attempts())
            except OSError:  # the folder is out of reach
                return False

        def look() -> None:
            while not taken_over():
                time.sleep(_LOOK)
            self.ask(StopReason.LEASE_LOST)

        threading.Thread(target=look, name="successors", daemon=True).start()

    def _read_stdin(self) -> None:
        # The raw descriptor: a thread blocked in a buffered reader can hang the interpreter's end.
        pending = b""
        while chunk := os.read(sys.stdin.fileno(), 4096):
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                self._read_line(line)
        # Nothing is saved: whoever takes over may already be writing.
        os._exit(ORPHANED)

    def _read_line(self, line: bytes) -> None:
        try:
            reason = StopReason(json.loads(line)["stop"])
        except (ValueError, KeyError, TypeError):
            return
        if reason in REQUESTS:
            self.ask(reason)
