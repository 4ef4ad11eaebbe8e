"""Foreground: applications of the user's that work on a GPU beside our trainers."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import suppress

import psutil

from workers.trainer.nvml import Card, find_card

BUSY = 10
"""Percent of a card's time from which on an application needs it; a desktop that draws windows takes less."""
_OURS = ("workers.trainer", "workers.app", "srqueue")


class Foreground:
    """Looks at the cards with these names of the driver's. `ignored`: names of programs that do not count."""

    def __init__(self, uuids: Sequence[str], ignored: Collection[str]) -> None:
        self._uuids = uuids
        self._ignored = {name.lower() for name in ignored}
        self._cards: list[Card] | None = None
        self._since = int(time.time() * 1e6)

    def look(self) -> str | None:
        """`the GPU is used by blender`, or None. Who computes counts where a driver tells no shares."""
        if self._cards is None:
            self._cards = [card for uuid in self._uuids if uuid and (card := find_card(uuid)) is not None]
        since, self._since = self._since, int(time.time() * 1e6)
        for card in self._cards:
            busy = card.busy_processes(since)
            pids = (
                card.computing_pids()
                if busy is None
                else [pid for pid, share in busy.items() if share >= BUSY]
            )
            if names := sorted({name for pid in pids if (name := self._foreign(pid))}):
                return f"the GPU is used by {', '.join(names[:3])}"
        return None

    def _foreign(self, pid: int) -> str | None:
        name = name_of(pid)
        return None if name is None or name.lower() in self._ignored else name


def name_of(pid: int) -> str | None:
    """The name of a program that is none of ours; None for ours, and for one that has ended."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        line = _command(process)
        return None if any(part in line for part in _OURS) else process.name()
    return None


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.AccessDenied:  # another user's
        return ""
