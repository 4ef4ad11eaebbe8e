"""The trainer as a child process: start it, ask it to stop, end it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from typing import IO

import psutil

from srqueue.run.folder import AttemptDir, RunDir
from srqueue.run.reasons import StopReason
from workers.last_words import oom_kills
from workers.launching import launch
from workers.spares import Spares
from workers.trainer.process import threads_of

STOP_SECONDS = 60.0
"""How long a trainer may take for its last iteration and checkpoint before SIGTERM."""
EXPORT_SECONDS = 600.0
"""The same where it was only started to export: it must first load its program and its checkpoint."""
LEASE_LOST_SECONDS = 5.0
"""Where another worker has the job there is nothing to save."""
DUMP_SECONDS = 2.0
"""For a hung trainer to write its stack, before SIGTERM."""
TERM_SECONDS = 10.0
"""From SIGTERM to SIGKILL."""

_MORE_URGENT = (
    StopReason.PAUSED,
    StopReason.PREEMPTED,
    StopReason.YIELDED,
    StopReason.DRAINED,
    StopReason.BUDGET_SPENT,
    StopReason.CANCELLED,
    StopReason.LEASE_LOST,
)


class Trainer:
    """One running trainer, leader of its own process group."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.stop: StopReason | None = None
        self.forced = False
        """Whether it had to be ended, because it did not stop in time."""
        self.hung: str | None = None
        """How long it was silent, in words, where it is ended for that."""
        self._oom_kills = oom_kills()
        self._deadline = float("inf")
        self._signal = signal.SIGTERM

    @classmethod
    def start(cls, run: RunDir, attempt: AttemptDir, spares: Spares | None = None) -> Trainer:
        """Sets a spare to work on an attempt, or starts `python -m workers.trainer` where none is ready.

        Its output goes to the attempt's log.
        """
        argv = [str(run.path), "--token", str(attempt.token), "--supervised"]
        with attempt.log_file.open("ab") as log:
            threads = threads_of(run, attempt)
            process = spares.take(run, attempt.token, threads) if spares else None
            return cls(process or launch(argv, threads, log, subprocess.STDOUT))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def identity(self) -> dict[str, float]:
        """Process id and creation time: what tells it from a later process of the same id."""
        try:
            created = psutil.Process(self._process.pid).create_time()
        except psutil.NoSuchProcess:
            created = 0.0
        return {"pid": self._process.pid, "create_time": created}

    def poll(self) -> int | None:
        """Exit status once it ended. Escalates where it was asked to stop and does not."""
        status = self._process.poll()
        if status is None and time.monotonic() > self._deadline:
            self.forced = True
            self._signal_group(self._signal)
            self._signal = signal.SIGKILL
            self._deadline = time.monotonic() + TERM_SECONDS
        return status

    def request_stop(self, reason: StopReason, within: float | None = None) -> None:
        """Asks for a checkpoint and an end within so many seconds, or the usual time for this reason.

        Said again only for a more urgent reason.
        """
        if self.stop is reason:
            return
        usual = LEASE_LOST_SECONDS if reason is StopReason.LEASE_LOST else STOP_SECONDS
        self._deadline = min(self._deadline, time.monotonic() + (within or usual))
        if self.stop is not None and _MORE_URGENT.index(self.stop) > _MORE_URGENT.index(reason):
            return
        self.stop = reason
        stdin: IO[bytes] | None = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(OSError):  # it has just ended
                stdin.write(json.dumps({"stop": reason.value}).encode() + b"\n")
                stdin.flush()

    def end_hung(self, silent: float) -> None:
        """It gives no sign of life: has it write its stack into its log, then ends it. Said once."""
        if self.hung is not None:
            return
        stopped = False
        with contextlib.suppress(psutil.Error):
            stopped = psutil.Process(self._process.pid).status() == psutil.STATUS_STOPPED
        what = "it was stopped (SIGSTOP)" if stopped else "it did not go on"
        self.hung = f"no sign of life for {silent:.0f} s: {what}"
        self._signal_group(signal.SIGUSR1)
        self._deadline = time.monotonic() + DUMP_SECONDS

    @property
    def short_of_memory(self) -> bool:
        """Whether the kernel has ended a process for lack of memory since this one was started."""
        return oom_kills() > self._oom_kills

    def force(self) -> None:
        """Ends the whole group without a checkpoint, for the reason that it was asked to stop for."""
        if self._process.poll() is None:
            self.forced = True
            self._signal_group(signal.SIGKILL)

    def kill(self) -> None:
        """Ends the whole group at once and waits for it."""
        if self._process.poll() is None:
            self._signal_group(signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
