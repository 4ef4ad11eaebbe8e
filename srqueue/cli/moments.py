"""Times as a user types them."""

from __future__ import annotations

import re
from datetime import datetime

from srqueue.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


def moment(text: str | None, now: float, where: str) -> float | None:
    """UTC seconds of `12h` (before `now`) or of a date, with or without a time, of this machine's zone.

    None stays None. Raises UsageError that names `where`.
    """
    if text is None:
        return None
    if match := _AGO.fullmatch(text.strip()):
        return now - float(match[1]) * _UNITS[match[2]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"{text!r} is no time",
            where=where,
            hint="write 30m, 12h or 2d for so long ago, or a date: 2026-03-01, '2026-03-01 14:30'",
        ) from None
