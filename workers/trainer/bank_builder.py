"""The child process that fills a crop bank beside a training, and what is told of it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from srqueue.counting import counted
from srqueue.run.banks import BankDir, BankNote, gigabytes
from workers.trainer.reporter import Reporter

_LOOK = 2.0
"""Seconds between two looks at it."""
_TELL = 30.0
"""Seconds between two words about it."""
_END = 5.0
"""Seconds that it may take to end."""


class Builder:
    """The child that fills a bank (workers.data_tools.packing)."""

    def __init__(self, folder: BankDir, note: BankNote, quota: int, listing: str, scale: int) -> None:
        self._folder, self._name = folder, note.name
        self._total, self._size = note.pictures, note.bytes
        self._answer = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the child
        request = {"listing": listing, "scale": scale, "folder": str(folder.path.parent), "quota": quota}
        asked = json.dumps({**request, "background": True})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "workers.data_tools", "pack", "--json", asked],
            stdin=subprocess.PIPE,
            stdout=self._answer,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        )
        self._look_at = self._tell_at = time.monotonic() + _LOOK
        self._told = -1

    def look(self, reporter: Reporter) -> bool:
        """Whether it has ended; tells how far it is."""
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + _LOOK
        ended = self._process.poll() is not None
        done = self._done()
        if done != self._told and (ended or now >= self._tell_at):
            self._tell_at, self._told = now + _TELL, done
            reporter.emit("resource", bank=self._name, done=done, total=self._total, bytes=self._size)
        if ended:
            self._tell_end(reporter, done)
            self.end()
        return ended

    def end(self) -> None:
        """Ends it, wherever it is: nothing is lost but the pictures of the last seconds."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_END)
            except subprocess.TimeoutExpired:
                self._process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):  # a disk that hangs
                    self._process.wait(_END)
        self._answer.close()

    def _done(self) -> int:
        try:
            return self._folder.done(self._total)
        except OSError:
            return 0

    def _tell_end(self, reporter: Reporter, done: int) -> None:
        found = self._read()
        if failed := found.get("result", {}).get("failed"):
            first = next(iter(failed))
            told = f"{counted(len(failed), 'picture')} could not be read, as {first}: {failed[first]}"
            reporter.message("warning", f"the crop bank of {self._name} is built, but {told}")
        elif "result" in found:
            size = gigabytes(self._size)
            reporter.message(
                "info", f"the crop bank of {self._name} is complete ({size}): {self._folder.path}"
            )
        else:
            why = (
                found.get("error", {}).get("message") or f"its builder ended with {self._process.returncode}"
            )
            reporter.message(
                "warning", f"the crop bank of {self._name} has {done} of {self._total} pictures: {why}"
            )

    def _read(self) -> dict[str, Any]:
        self._answer.seek(0)
        try:
            found = json.loads(self._answer.read().rstrip().rpartition("\n")[2])
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
