"""Moments in a user's words: "22:00", "Sun 22:00", "tomorrow 8:00", "2026-12-01 08:00"."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from srqueue.errors import SpecError, did_you_mean

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RELATIVE = {"today": 0, "tomorrow": 1}
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})\Z")
_WORDED = re.compile(r"([A-Za-z]+)\s+(\d{1,2}:\d{2})\Z")
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")


def looks_like_a_moment(text: str) -> bool:
    """Whether somebody who wrote this meant a moment."""
    return bool(_CLOCK.match(text) or _WORDED.match(text) or _DATED.match(text))


def moment(text: str, now: datetime) -> datetime:
    """The moment, with its offset. A time of day, and a day of the week, is the next one after `now`.

    Without an offset it is local time of this machine, as `now` is. Raises SpecError.
    """
    if _DATED.match(text):
        return _dated(text)
    if clock := _CLOCK.match(text):
        at = _on(now, 0, clock)
        return at if at > now else _on(now, 1, clock)
    worded = _WORDED.match(text)
    clock = worded and _CLOCK.match(worded[2])
    if worded is None or clock is None:
        raise SpecError(f"{text!r} is no moment", hint="write 22:00, Sun 22:00 or 2026-12-01 08:00")
    word = worded[1].lower()
    if word in _RELATIVE:
        return _on(now, _RELATIVE[word], clock)
    day = next((i for i, name in enumerate(DAYS) if len(word) >= 2 and name.startswith(word)), None)
    if day is None:
        known = [*_RELATIVE, *(name[:3] for name in DAYS), *DAYS]
        raise SpecError(f"{worded[1]!r} is no day", hint=did_you_mean(word, known))
    days = (day - now.weekday()) % 7
    at = _on(now, days, clock)
    return at if at > now else _on(now, days + 7, clock)


def _dated(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise SpecError(f"{text!r} is no date and time", hint="write 2026-12-01 08:00") from None
    return at if at.tzinfo else at.astimezone()


def _on(now: datetime, days: int, clock: re.Match[str]) -> datetime:
    """That time of day so many days after `now`, with the offset that local time has then."""
    hour, minute = int(clock[1]), int(clock[2])
    if hour > 23 or minute > 59:
        raise SpecError(f"{clock[0]!r} is no time of day", hint="from 0:00 to 23:59")
    day = (now + timedelta(days=days)).date()
    naive = datetime(day.year, day.month, day.day, hour, minute)  # local time of the machine
    return naive.astimezone()
