"""Times as a user types them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from srqueue.errors import UsageError

_DAY = len("2026-03-01")
_PARTS = re.compile(r"(?:\d+(?:\.\d+)?\s*[smhdw]\s*)+")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


def moment(text: str | None, now: float, where: str, *, last: bool = False) -> float | None:
    """UTC seconds of `12h`, `1h30m` (before `now`) or of a date, with or without a time.

    A date is of this machine's zone; `last`: a day is meant to its end. None stays None. Raises UsageError
    that names `where`.
    """
    if text is None:
        return None
    if _PARTS.fullmatch(text.strip()):
        return now - sum(float(count) * _UNITS[unit] for count, unit in _AGO.findall(text))
    try:
        at = datetime.fromisoformat(text.strip())
        return (at + timedelta(days=last and len(text.strip()) == _DAY)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"{text!r} is no time",
            where=where,
            hint="write 30m, 12h or 2d for so long ago, or a date: 2026-03-01, '2026-03-01 14:30'",
        ) from None


def check_period(since: float | None, until: float | None) -> None:
    """Raises UsageError where nothing can lie between the two."""
    if since is not None and until is not None and since > until:
        raise UsageError("--since lies behind --until", where="--since", hint="exchange them")
