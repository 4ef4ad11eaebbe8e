"""Real trainer processes on one run folder, forked from a process that has imported torch already."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from srqueue.errors import SrqueueError
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome

Death = tuple[int, str]
"""The commit of the attempt (from 1) and its point at which the process is to end."""

Faults = Callable[[], None]
"""Called in the process before the attempt begins, to put faults into the trainer. Must be importable."""

LONGEST = 600.0
"""Seconds that an attempt may take."""

_LOOK = 0.002

_context = multiprocessing.get_context("forkserver")
# The last one is what torch.use_deterministic_algorithms imports, for a second.
_context.set_forkserver_preload(
    ["workers.trainer.attempt", "workers.verifying.scenarios", "torch._inductor.config"]
)


class Attempts:
    """The attempts at one run, one after the other, each going on from the newest checkpoint."""

    def __init__(self, run: RunDir, listing: Path, device: str, faults: Faults | None = None) -> None:
        self.run = run
        self.token = 0
        self._given: dict[str, Any] = {
            "listings": {"train": str(listing), "val": str(listing)},
            "device": device,
            "threads": 1,
        }
        self._faults = faults
        self._process: ForkServerProcess | None = None

    def start(self, death: Death | None = None, faults: Faults | None = None) -> None:
        """Starts the next attempt; it kills itself at `death`."""
        self.token += 1
        names = self.run.checkpoint_names()
        attempt = self.run.write_attempt(self.token, names[-1] if names else None, **self._given)
        process = _context.Process(
            target=_work,
            args=(str(self.run.path), self.token, str(attempt.log_file), death, faults or self._faults),
        )
        process.start()
        self._process = process

    def end(self) -> int:
        """Waits for it; its exit status, -9 where it was killed."""
        process = self._running()
        process.join(LONGEST)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise SrqueueError(f"a trainer took more than {LONGEST:g} s", where=str(self.log))
        return process.exitcode

    def signal_after_commit(self, number: signal.Signals, seconds: float) -> bool:
        """Signals it so long after its first checkpoint; False where it had ended by then."""
        process = self._running()
        limit = time.monotonic() + LONGEST
        while not self.committed and process.is_alive() and time.monotonic() < limit:
            time.sleep(_LOOK)
        time.sleep(seconds)
        if process.exitcode is not None or process.pid is None:
            return False
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:  # it ended just now
            return False
        return True

    @property
    def committed(self) -> bool:
        """Whether the newest attempt has written a checkpoint."""
        return any(name.token == self.token for name in self.run.checkpoint_names())

    @property
    def outcome(self) -> Outcome | None:
        """Of the newest attempt; None where it was killed."""
        return Outcome.read(self.run.attempt(self.token).outcome_file)

    @property
    def log(self) -> Path:
        """Of the newest attempt."""
        return self.run.attempt(self.token).log_file

    def _running(self) -> ForkServerProcess:
        if self._process is None:
            raise RuntimeError("no attempt was started")
        return self._process


def _work(run: str, token: int, log: str, death: Death | None, faults: Faults | None) -> None:
    """The process: `python -m workers.trainer RUN --token N`, but for the import of torch."""
    from workers.trainer import commit_points
    from workers.trainer.__main__ import main

    with Path(log).open("ab", buffering=0) as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    # Text that waits to be written must be lost with the process, as in any other.
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    if death is not None:
        commit_points.arm(*death)
    if faults is not None:
        faults()
    sys.exit(main([run, "--token", str(token)]))
