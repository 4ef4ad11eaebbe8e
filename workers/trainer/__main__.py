"""python -m workers.trainer RUN_DIR --token N [--supervised]: one attempt at one job.

python -m workers.trainer --spare THREADS: the same, told on stdin which one, when there is one to work on.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import signal
import sys
from pathlib import Path

from srqueue.errors import ConflictError, SrqueueError, UsageError
from srqueue.run.events import EventWriter
from srqueue.run.folder import AttemptDir, CheckpointName, RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import CONSEQUENCES, StopReason
from workers.trainer import heart
from workers.trainer.device_lock import hold_device
from workers.trainer.process import die_with_parent, hold_lock, set_thread_count, threads_of
from workers.trainer.spare import wait_for_attempt
from workers.trainer.stopping import StopRequest


def main(arguments: list[str] | None = None) -> int:
    """Runs the attempt; the exit status is 0 wherever an outcome was written, but for a crash."""
    parser = argparse.ArgumentParser(prog="python -m workers.trainer", description=__doc__)
    parser.add_argument("run_dir", type=Path, nargs="?", help="run folder with spec.json and the attempt")
    parser.add_argument("--token", type=int, help="which attempt")
    parser.add_argument("--supervised", action="store_true", help="stop requests on stdin; end when it ends")
    parser.add_argument("--spare", type=int, metavar="THREADS", help="supervised; the attempt comes on stdin")
    asked = parser.parse_args(arguments)

    faulthandler.enable()  # a crash in native code leaves its stack in the log
    faulthandler.register(signal.SIGUSR1)  # the watchdog asks for it
    stop, supervised = StopRequest(), asked.supervised or asked.spare is not None
    if supervised:
        die_with_parent()
    folder, token = asked.run_dir, asked.token
    if asked.spare is not None:
        folder, token = wait_for_attempt(asked.spare)
    elif folder is None or token is None:
        parser.error("which attempt? RUN_DIR --token N")
    if supervised:
        stop.listen_to_stdin()
    stop.listen_to_signals(StopReason.DRAINED if supervised else StopReason.PAUSED)

    run = RunDir(folder.absolute())
    attempt = run.attempt(token)
    try:
        return _work(run, attempt, stop, supervised)
    except ConflictError as error:
        print(f"error: {error}", file=sys.stderr)
        if supervised:  # a frozen trainer on another machine, say: no failure of the job, which waits
            iteration, seq = _stands_at(attempt)
            Outcome(StopReason.ROOT_MISSING, str(error), iteration, seq).write(attempt.outcome_file)
        return error.exit_code
    except SrqueueError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:  # a full disk, or a run folder that went away
        print(f"error: {error}", file=sys.stderr)
        return 1


def _work(run: RunDir, attempt: AttemptDir, stop: StopRequest, supervised: bool) -> int:
    """The attempt, once this process has the run and its device for itself."""
    given = attempt.read()
    if not given:
        raise UsageError("there is no such attempt", where=str(attempt.attempt_file))
    set_thread_count(threads_of(run, attempt))
    if patience := given.get("hang"):
        heart.start(attempt.beat_file, float(patience))
    about = {"job": run.job_id, "token": attempt.token, "supervised": supervised}
    # Sorted, so that two who want the same GPUs do not wait for each other.
    locks = sorted(Path(lock) for lock in (given.get("device_lock"), *given.get("more_locks", ())) if lock)
    slots, waiting = int(given.get("slots", 1)), Waiting(attempt, stop)
    with hold_lock(run.lock_file), contextlib.ExitStack() as held:
        if not all(held.enter_context(hold_device(lock, about, waiting, slots)) for lock in locks):
            return _ended_waiting(attempt, stop)
        # Only now: torch reads the thread count when it is first imported.
        from workers.trainer.attempt import run_attempt
        from workers.trainer.budget import keep_to_share

        keep_to_share(str(given.get("device")), slots)
        stop.listen_to_successors(run, attempt.token)
        return run_attempt(run, attempt, stop)


class Waiting:
    """Whether to wait on for a device; says once who has it, in the log and as an event."""

    def __init__(self, attempt: AttemptDir, stop: StopRequest) -> None:
        self._attempt, self._stop, self._told = attempt, stop, ""

    def __call__(self, holder: str) -> bool:
        """False once somebody asked to stop."""
        heart.beat()
        if holder != self._told:
            self._told = holder
            self._tell(f"waiting for the GPU, which {holder} uses")
        return self._stop.reason in (None, StopReason.BUDGET_SPENT)  # then it has to export

    def _tell(self, text: str) -> None:
        with contextlib.suppress(OSError):  # a full disk
            print(text, flush=True)
            events = EventWriter(self._attempt.events_file, self._attempt.token)
            events.write("message", _stands_at(self._attempt)[0], level="info", text=text)
            events.close()


def _ended_waiting(attempt: AttemptDir, stop: StopRequest) -> int:
    """It was asked to stop before it had a device: it stands where it stood."""
    reason = stop.reason or StopReason.DRAINED
    iteration, seq = _stands_at(attempt)
    Outcome(reason, CONSEQUENCES[reason].text, iteration, seq).write(attempt.outcome_file)
    return 0


def _stands_at(attempt: AttemptDir) -> tuple[int, int | None]:
    """Iteration and seq of the checkpoint that the attempt goes on from."""
    named = CheckpointName.parse(attempt.read().get("resume") or "")
    return (named.iteration, named.seq) if named else (0, None)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # To take torch apart costs a second, and the next attempt waits for this one's end.
    os._exit(code)
