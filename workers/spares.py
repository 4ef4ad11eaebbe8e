"""A spare trainer stands ready, so that a job does not wait for the import of torch.

One a slot: the process that supervises keeps it, sets it to work on the next job, and makes a new one beside
that. Nothing depends on it: where none is ready, or it does not answer, the trainer is started as ever.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from srqueue.run.folder import RunDir
from workers.launching import launch
from workers.trainer.spare import READY, TAKEN

log = logging.getLogger(__name__)

SETTLE = 2.0
"""Seconds that a job which has just begun is left alone before the next spare is made."""
FIRST_BACKOFF = 5.0
LONGEST_BACKOFF = 600.0
"""Seconds before one that died is replaced: doubled each time, from the first until one is used."""
IMPORTS_WITHIN = 300.0
"""Seconds; one that takes longer is hung."""
READY_SOON = 2.5
"""Seconds that a job waits for one that imports already: to import anew takes longer."""
ANSWERS_WITHIN = 5.0
"""Seconds for an idle one to take its attempt: else it is stopped or hung, and ended."""
_LOOK = 0.5
_ENDS_WITHIN = 10.0


@dataclass
class Spare:
    """One process that waits. `begun`: monotonic seconds."""

    process: subprocess.Popen[bytes]
    threads: int
    begun: float
    ready: bool = False

    def says(self, what: bytes, within: float) -> bool:
        """Whether it says so within so many seconds; False also where it has ended."""
        out = self.process.stdout
        if out is None or not select.select([out], [], [], within)[0]:
            return False
        return os.read(out.fileno(), len(what)) == what

    def end(self) -> None:
        """Ends it at once, and waits for that."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_ENDS_WITHIN)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class Spares:
    """Keeps one spare of `threads` CPU threads while `wanted`, from `start` on.

    `patience`: seconds that a job may wait for one that is not ready; no lease is renewed meanwhile.

    Its thread never ends before the process: Linux ends a child with the thread that has started it
    (PDEATHSIG), and the child may be training by then.
    """

    def __init__(self, threads: int, wanted: Callable[[], bool], patience: float = float("inf")) -> None:
        self._threads, self._wanted = threads, wanted
        self._patience = min(READY_SOON, patience)
        self._lock = threading.Lock()
        self._spare: Spare | None = None
        self._not_before = 0.0
        self._died = 0

    def start(self) -> None:
        """Makes the first one, and from now on one for each that is used or dies."""
        threading.Thread(target=self._keep, name="spares", daemon=True).start()

    def take(self, run: RunDir, token: int, threads: int) -> subprocess.Popen[bytes] | None:
        """The spare, at work on that attempt; None where none is ready that fits, or will be in a moment.

        The attempt's log must be there. The next spare will have as many threads as this one was to have.
        """
        with self._lock:
            self._threads = threads
            self._not_before = max(self._not_before, time.monotonic() + SETTLE)
            spare = self._spare
            fits = spare is not None and spare.threads == threads
            if spare is None or not (spare.ready or spare.says(READY, self._patience if fits else 0)):
                return None
            self._spare = None
            if fits and self._told(spare, run, token):
                self._died = 0
                return spare.process
            spare.end()
            return None

    def end(self) -> None:
        """Ends the spare that waits."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._spare is not None:
            self._spare.end()
            self._spare = None

    @staticmethod
    def _told(spare: Spare, run: RunDir, token: int) -> bool:
        line = json.dumps({"run": str(run.path), "token": token}).encode() + b"\n"
        stdin, stdout = spare.process.stdin, spare.process.stdout
        if stdin is None or stdout is None:
            return False
        try:
            stdin.write(line)
            stdin.flush()
        except OSError:  # it has died just now
            return False
        if not spare.says(TAKEN, ANSWERS_WITHIN):
            log.warning("the spare trainer does not answer: it is ended, and one is started as ever")
            return False
        stdout.close()
        return True

    def _keep(self) -> None:
        while True:
            try:
                with self._lock:
                    self._look()
            except Exception:  # whatever it is: see above
                log.exception("the spare trainer could not be looked after")
                self._put_off()
            time.sleep(_LOOK)

    def _look(self) -> None:
        spare, now = self._spare, time.monotonic()
        if not self._wanted():
            self._end()
        elif spare is None:
            if now >= self._not_before:
                process = launch(["--spare", str(self._threads)], self._threads, subprocess.PIPE, None)
                self._spare = Spare(process, self._threads, now)
        elif (status := spare.process.poll()) is not None:
            self._replace(f"ended with status {status}")
        elif spare.threads != self._threads:
            self._end()
        elif not spare.ready:
            spare.ready = spare.says(READY, 0)
            if spare.ready:
                log.info("a trainer stands ready (process %d)", spare.process.pid)
            elif now - spare.begun > IMPORTS_WITHIN:
                self._replace(f"was not ready within {IMPORTS_WITHIN:.0f} s")

    def _replace(self, why: str) -> None:
        self._end()
        wait = self._put_off()
        log.warning("the spare trainer %s; the next one is made in %.0f s", why, wait)

    def _put_off(self) -> float:
        wait = min(FIRST_BACKOFF * 2.0**self._died, LONGEST_BACKOFF)
        self._died += 1
        self._not_before = time.monotonic() + wait
        return wait
