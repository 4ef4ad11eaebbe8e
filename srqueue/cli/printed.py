"""What trainers printed: from their logs where the run folder is on this machine, else from Redis."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from srqueue.cli.output import printable
from srqueue.run.folder import AttemptDir, RunDir
from srqueue.store.printed import LINES_KEPT
from srqueue.store.run_folders import run_of

if TYPE_CHECKING:
    from srqueue.store.store import Store


class Printed:
    """Of one job. What Redis keeps is little, so it is asked for while the job goes on."""

    def __init__(self, store: Store, job_id: str) -> None:
        self._store, self._job_id = store, job_id
        self._shown = 0  # the newest attempt that was printed
        self._position = "0-0"
        self._lines: deque[tuple[int, str]] = deque(maxlen=LINES_KEPT)

    def last(self) -> None:
        """Prints all of the log of the newest attempt; from Redis what it has of all of them."""
        attempts = run.attempts() if (run := self._run()) else []
        if run is None:
            self._read()
            self._from_redis(lambda token: True)
        elif attempts:
            _print_file(attempts[-1], whole=True)

    def read(self) -> None:
        """Takes in what is new in Redis, where the run folder is elsewhere."""
        if self._run() is None:
            self._read()

    def before(self, token: int) -> None:
        """Prints, once, what the attempts before that one printed."""
        if token <= self._shown + 1:
            return
        first, self._shown = self._shown, token - 1
        run = self._run()
        if run is None:
            self._read()
            self._from_redis(lambda its: first < its < token)
            return
        for attempt in run.attempts():
            if first < attempt.token < token:
                _print_file(attempt)

    def _run(self) -> RunDir | None:
        return run_of(self._store.get(self._job_id))

    def _read(self) -> None:
        for position, line in self._store.log_after(self._job_id, self._position):
            self._position = position
            token, _, text = line.partition(" ")
            if token[:1] == "t" and token[1:].isdigit():
                self._lines.append((int(token[1:]), text))

    def _from_redis(self, wanted: Callable[[int], bool]) -> None:
        told = 0
        for token, text in self._lines:
            if not wanted(token):
                continue
            if token != told:
                print(f"-- the trainer printed in attempt {token}, elsewhere (its newest lines):")
                told = token
            print(printable(text), flush=True)


def _print_file(attempt: AttemptDir, whole: bool = False) -> None:
    try:
        text = attempt.log_file.read_text(errors="replace").strip()
    except OSError:
        return
    if not text:
        return
    print(f"-- the trainer printed in attempt {attempt.token} ({attempt.log_file}):")
    lines = text.splitlines()
    if not whole and len(lines) > LINES_KEPT:
        print(f"... {len(lines) - LINES_KEPT} lines before")
        lines = lines[-LINES_KEPT:]
    for line in lines:
        print(printable(line.replace("\t", "    ")), flush=True)
