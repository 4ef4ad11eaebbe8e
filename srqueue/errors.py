"""The errors a user can meet.

SrqueueError                    exit code 1
├── UsageError                  2   a wrong argument, name or state for what was asked
│   └── SpecError               2   a training spec, preset or override that does not hold
├── DataError                   1   pictures that are missing, broken or do not pair
├── CheckpointError             1   no whole checkpoint to go on from
├── ConflictError               1   somebody else changed or holds it meanwhile
└── ServiceUnreachable          3   Redis or a worker cannot be reached

Each carries what is wrong (`message`), where (`where`: file, key, path) and what to do next (`hint`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SrqueueError(Exception):
    """Base of all errors that are shown to a user without a traceback."""

    exit_code = 1

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        """The message, then `where` and `hint` on lines of their own where known."""
        lines = [self.message]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class UsageError(SrqueueError):
    """A wrong argument, an unknown name, or a verb that does not fit the job's state."""

    exit_code = 2


class SpecError(UsageError):
    """A spec, preset or override that does not hold."""


class DataError(SrqueueError):
    """Pictures that are missing, broken or do not pair."""


class CheckpointError(SrqueueError):
    """No whole checkpoint to go on from, or one of another job."""


class ConflictError(SrqueueError):
    """Somebody else holds or changed the thing meanwhile."""


class ServiceUnreachable(SrqueueError):
    """Redis, Valkey or a worker cannot be reached."""

    exit_code = 3


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known words, or all of them where none is near."""
    options = sorted(set(known))
    near = difflib.get_close_matches(word, options, n=3, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(repr(n) for n in near) + "?"
    if not options:
        return "there are none yet"
    shown = ", ".join(options[:20]) + (", ..." if len(options) > 20 else "")
    return f"known: {shown}"
