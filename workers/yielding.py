"""Whether this worker leaves its machine to its user: said by its main process, seen by its children."""

from __future__ import annotations

import mmap

_SIZE = 256
# Shared memory, as in `draining`: no lock that a killed child could hold. Text first, its length last.
_shared = mmap.mmap(-1, _SIZE)


def say(why: str | None) -> None:
    """Why the machine is its user's now; None where it may train."""
    text = (why or "").encode()[: _SIZE - 1]
    _shared[0] = 0
    _shared[1 : 1 + len(text)] = text
    _shared[0] = len(text)


def why() -> str | None:
    """Why it does not train now; None where it may."""
    length = _shared[0]
    return bytes(_shared[1 : 1 + length]).decode(errors="replace") or None
