"""Reporter: what happens in an attempt, as event lines and as lines for a person."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from srqueue.errors import SrqueueError
from srqueue.run.events import EventKind, EventWriter
from srqueue.run.folder import AttemptDir

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of a full disk."""


class DiskFull(SrqueueError):
    """What must be kept cannot be written."""


@contextmanager
def despite_full_disk() -> Iterator[None]:
    """What is written within the block is lost where the disk is full, and nothing else happens."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise


def tell(line: str) -> None:
    """Prints a line to the attempt's log, which may lie on a full disk."""
    with despite_full_disk():
        print(line, flush=True)


class Reporter:
    """Writes events; prints the ones a person waits for. A full disk loses lines, never the training."""

    def __init__(self, attempt: AttemptDir, total_iter: int) -> None:
        self._events = EventWriter(attempt.events_file, attempt.token)
        self._total = total_iter
        self.iteration = 0

    @property
    def offset(self) -> int:
        """Bytes of events written so far."""
        return self._events.offset

    def emit(self, kind: EventKind, **data: Any) -> None:
        """One event at the current iteration."""
        self.emit_at(self.iteration, kind, **data)

    def emit_at(self, iteration: int, kind: EventKind, **data: Any) -> None:
        """One event of an earlier iteration, which is told only now."""
        with despite_full_disk():
            self._events.write(kind, iteration, **data)
        if text := _sentence(kind, data):
            head = f"{time.strftime('%H:%M:%S')} {self.iteration}/{self._total}"
            tell(f"{head}  {text}")

    def phase(self, phase: str, **more: Any) -> None:
        """A `phase` event."""
        self.emit("phase", phase=phase, **more)

    def message(self, level: Literal["info", "warning", "error"], text: str) -> None:
        """A `message` event."""
        self.emit("message", level=level, text=text)

    def close(self) -> None:
        """Closes the event file."""
        with despite_full_disk():
            self._events.close()


def _sentence(kind: EventKind, data: dict[str, Any]) -> str:
    """The event for a person; empty for those that only programs read."""
    if kind == "train":
        return (
            f"loss {data['loss']:.5f}  lr {data['lr']:.2e}  {data['it_s']:.1f} it/s  "
            f"{_duration(data['eta_s'])} left"
        )
    if kind == "val":
        best = "  (best)" if data["best"] else ""
        return (
            f"PSNR {data['val/psnr']:.3f} dB (bicubic {data['bicubic/psnr']:.3f})  "
            f"SSIM {data['val/ssim']:.4f} (bicubic {data['bicubic/ssim']:.4f}){best}"
        )
    if kind == "message":
        return f"{data['level']}: {data['text']}"
    if kind == "action":
        return f"{data['by']} {data['did']}: {data['reason']}"
    if kind == "phase":
        return str(data["phase"])
    return ""


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours else f"{minutes}m {seconds:02.0f}s"
