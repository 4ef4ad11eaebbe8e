"""What of an attempt is only looked at, from its folder to Redis: printed lines, validation pictures.

It comes after lease and events and is worth no trouble: nothing here raises, and what Redis did not take is
tried again ever more seldom.
"""

from __future__ import annotations

import logging
import time

from srqueue.errors import SrqueueError
from srqueue.run.folder import AttemptDir, RunDir
from srqueue.run.pictures import FIXED, Pictures, picture_file, read_pictures
from srqueue.store.pictures import MOST_BYTES
from srqueue.store.printed import BYTES_KEPT, LINES_KEPT
from srqueue.store.store import Store

log = logging.getLogger(__name__)

_EACH = 1.0
"""Seconds between two looks."""
_AFTER_FAILURE, _LONGEST = 15.0, 300.0
_WIDEST = 500
"""Characters of a line."""


class Showing:
    """Follows one attempt."""

    def __init__(self, store: Store, job_id: str, run: RunDir, attempt: AttemptDir) -> None:
        self._log = PrintedLines(store, job_id, attempt)
        self._pictures = NewestPictures(store, job_id, attempt.token, run)
        self._look_at = 0.0  # monotonic s
        self._wait = _AFTER_FAILURE
        self._failed = False

    def send(self, at_end: bool = False) -> None:
        """Sends what is new, unless that was done just now or has just failed."""
        now = time.monotonic()
        if now < self._look_at and (self._failed or not at_end):
            return
        try:
            self._log.send(at_end)
            self._pictures.send()
        except (SrqueueError, OSError, ValueError) as error:
            if not self._failed:
                log.info("what was printed and drawn is not shown elsewhere for now: %s", error)
            self._failed, self._look_at = True, time.monotonic() + self._wait
            self._wait = min(2 * self._wait, _LONGEST)
        else:
            self._failed, self._wait, self._look_at = False, _AFTER_FAILURE, now + _EACH


class PrintedLines:
    """The trainer's log as it grows; of much at once the newest."""

    def __init__(self, store: Store, job_id: str, attempt: AttemptDir) -> None:
        self._store, self._job_id, self._attempt = store, job_id, attempt
        self._offset = 0

    def send(self, at_end: bool) -> None:
        """Sends whole lines, at the end also one that is not ended. Raises SrqueueError, OSError."""
        try:
            size = self._attempt.log_file.stat().st_size
        except FileNotFoundError:
            return
        if size <= self._offset:
            return
        start = max(self._offset, size - BYTES_KEPT)
        with self._attempt.log_file.open("rb") as file:
            file.seek(start)
            data = file.read(BYTES_KEPT)
        if not at_end:
            data = data[: data.rfind(b"\n") + 1]
        if not data:
            return
        lines = [_plain(line) for line in data.decode(errors="replace").splitlines()]
        span = (start, start + len(data))
        told = [line for line in lines if line][-LINES_KEPT:]
        self._offset = self._store.append_log(self._job_id, self._attempt.token, told, span)


class NewestPictures:
    """The pictures of the newest validation."""

    def __init__(self, store: Store, job_id: str, token: int, run: RunDir) -> None:
        self._store, self._job_id, self._token, self._run = store, job_id, token, run
        self._sent: tuple[int, int] | None = None

    def send(self) -> None:
        """Sends them where the list is another than last time. Raises SrqueueError, OSError."""
        try:
            stat = (self._run.pictures / "pictures.json").stat()
        except FileNotFoundError:
            return
        seen = (stat.st_ino, stat.st_mtime_ns)
        if seen == self._sent:
            return
        found = read_pictures(self._run)
        if found is not None and found.iterations and not self._put(found, whole=False):
            self._put(found, whole=True)
        self._sent = seen

    def _put(self, found: Pictures, whole: bool) -> bool:
        iteration = found.iterations[-1]
        named = {"model": str(iteration), **(dict(zip(FIXED, FIXED, strict=True)) if whole else {})}
        images = {
            f"{crop}/{name}": picture_file(self._run, crop, what).read_bytes()
            for crop in range(len(found.crops))
            for name, what in named.items()
        }
        if sum(map(len, images.values())) > MOST_BYTES:
            raise ValueError("the validation pictures are larger than they can be")
        crops = found.crops
        return self._store.put_pictures(self._job_id, self._token, crops, iteration, images, whole=whole)


def _plain(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line.rstrip())[:_WIDEST]
