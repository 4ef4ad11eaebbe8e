"""Following one training: in the queue, or in a process of our own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from srqueue.cli.display import Display
from srqueue.cli.endings import handling
from srqueue.cli.output import first_line
from srqueue.run.events import Event, read_events
from srqueue.run.folder import RunDir

if TYPE_CHECKING:
    from srqueue.store.record import JobRecord
    from srqueue.store.store import Store

POLL = 0.5
"""Seconds between two looks."""


def follow(store: Store, job_id: str, *, from_start: bool = False, plot: bool = False) -> JobRecord:
    """Shows a job until nothing more happens to it by itself, and returns its record.

    Redis going away for a while is told and waited out. `from_start` prints news from before this call too;
    `plot`: its PSNR as a curve.
    """
    from srqueue.errors import ServiceUnreachable

    record = store.get(job_id)
    told: str | None = None
    position, begun = "0-0", 0.0 if from_start else time.time()
    with Display(record.name, plot) as display:
        while True:
            try:
                record = store.get(job_id)
                display.progress.see_record(record)
                while batch := store.events(job_id, after=position):
                    position = batch[-1][0]
                    for _, line in batch:
                        event = Event.parse(line)
                        display.see(event, quiet=event.t < begun)
                standstill = _standstill(store, record)
            except ServiceUnreachable as error:
                standstill = f"{error.message.rstrip('.')}; the job is unharmed, waiting for Redis"
            else:
                if record.rests:
                    return record
            if standstill and standstill != told:
                display.say(standstill)
            told = standstill
            display.show()
            time.sleep(POLL)


def watch_to_end(store: Store, job_id: str, as_json: bool, plot: bool = False) -> None:
    """Follows a job, tells how it ended, and sets the exit code: 0 where it succeeded."""
    import typer

    from srqueue.cli.output import job_summary, print_json, say
    from srqueue.run.reasons import CONSEQUENCES, JobState

    try:
        if as_json:  # stdout is for the JSON alone
            with contextlib.redirect_stdout(sys.stderr):
                record = follow(store, job_id, plot=plot)
        else:
            record = follow(store, job_id, plot=plot)
    except KeyboardInterrupt:
        say(f"the job goes on without you; look again: srqueue watch {job_id[-6:].lower()}")
        raise
    if as_json:
        print_json(job_summary(record))
    else:
        why = record.message or (CONSEQUENCES[record.reason].text if record.reason else "")
        first = first_line(why)
        print(f"{record.name} {record.state}" + (f": {first}" if first not in ("", record.state) else ""))
        if len(why.splitlines()) > 1:
            say(f"all of it: srqueue logs {record.short_id}")
    if record.state is not JobState.SUCCEEDED:
        raise typer.Exit(1)


def follow_process(child: subprocess.Popen[bytes], events: Path, display: Display) -> bool:
    """Shows the events of a trainer of our own until it ends; True where it was killed.

    Ctrl-C, SIGTERM and SIGHUP ask it to stop and save; the second time it is killed.
    """
    asked = 0

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            child.kill()
        else:
            ask_to_pause(child)
            display.say("stopping: it saves a checkpoint (once more: kill it)")

    offset = 0
    display.progress.state = "running"
    with handling(ask_to_stop):
        ended = False
        while not ended:
            ended = child.poll() is not None
            for event, behind in read_events(events, offset):
                display.see(event)
                offset = behind
            display.show()
            if not ended:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(POLL)
    return asked > 1


def ask_to_pause(child: subprocess.Popen[bytes]) -> None:
    """Asks a supervised trainer to save a checkpoint and end."""
    if child.stdin is not None:
        with contextlib.suppress(OSError):  # it has just ended
            os.write(child.stdin.fileno(), b'{"stop": "paused"}\n')


def _standstill(store: Store, record: JobRecord) -> str | None:
    """Why nothing happens, in words that change only where the reason does; None where something does."""
    from srqueue.queue.waiting import why_it_waits

    why = why_it_waits(store, record)
    if why is None:
        return None
    reason = first_line(record.message or "")
    if record.not_before is None or record.not_before <= time.time():
        told = f"{record.state}: " + "; ".join(part for part in (reason, first_line(why)) if part)
        return told + _details(record)
    at = time.strftime("%H:%M:%S", time.localtime(record.not_before))
    text = f"{record.state}: {reason or 'the last attempt ended badly'}; tried again by itself at {at}"
    text += _details(record)
    if record.run_dir and record.attempts and record.state == "queued":
        text += f"\n  its log: {RunDir(Path(record.run_dir)).attempt(record.token).log_file}"
    return text


def _details(record: JobRecord) -> str:
    """Where, and what to do next, on lines of their own, of what a held job waits for."""
    if record.state != "held":
        return ""
    lines = (record.message or "").splitlines()[1:]
    return "".join(f"\n{line}" for line in lines if line.startswith(("  where: ", "  hint: ")))
