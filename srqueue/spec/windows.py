"""Windows: when something may run, by the clock on the wall: "22:00-07:00", "Sat,Sun 0:00-24:00"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator

from srqueue.errors import SpecError, did_you_mean
from srqueue.spec.base import Frozen
from srqueue.spec.clock_words import DAYS

_DAY = 24 * 3600
_WINDOW = re.compile(
    r"(?:([A-Za-z][A-Za-z,\s-]*)\s+)?(\d{1,2}:\d{2}(?::\d{2})?)\s*-\s*(\d{1,2}:\d{2}(?::\d{2})?)\Z"
)
_HINT = "write 22:00-07:00, or Sat,Sun 0:00-24:00"


class Window(Frozen):
    """From `begin` to `end`, seconds of the day; over midnight where `end` is not later. `days`: on which it
    begins, 0 is Monday; none: on all."""

    begin: int = Field(ge=0, lt=_DAY)
    end: int = Field(ge=0, le=_DAY)
    days: tuple[int, ...] = ()

    def __str__(self) -> str:
        days = ",".join(DAYS[day][:3].capitalize() for day in self.days)
        return f"{days} {_clock(self.begin)}-{_clock(self.end)}".strip()


def parse_window(text: str) -> Window:
    """The window that a text means. Raises SpecError with a hint."""
    given = " ".join(text.split())
    found = _WINDOW.match(given)
    if found is None:
        raise SpecError(f"{text!r} is no window", hint=_HINT)
    begin, end = _second(found[2], text), _second(found[3], text)
    if begin == _DAY:
        raise SpecError(f"{text!r}: a window begins at 23:59 at the latest", hint=_HINT)
    if begin == end:
        raise SpecError(f"{text!r} is no time at all, or all of it", hint="all day is 0:00-24:00")
    return Window(begin=begin, end=end, days=_days(found[1] or ""))


def is_open(windows: Iterable[Window], now: datetime) -> bool:
    """Whether one of them is open; without any it always is. `now`: local time."""
    known = list(windows)
    return not known or any(begin <= now < end for w in known for begin, end in _around(w, now))


def opens(windows: Iterable[Window], now: datetime) -> datetime:
    """When the next of them begins, or `now` where one is open."""
    known = list(windows)
    if is_open(known, now):
        return now
    return min(begin for w in known for begin, _ in _around(w, now) if begin > now)


def spans(windows: Iterable[Window], since: datetime) -> Iterator[tuple[datetime, datetime]]:
    """(begin, end) of each time that one is open and that ends behind `since`, by their begins; they may
    overlap, and do not end. `since`: local time."""
    known, day = list(windows), (since - timedelta(days=1)).date()
    while known and day < date.max - timedelta(days=1):
        found = sorted(span for w in known for span in _on(w, day, since))
        yield from ((begin, end) for begin, end in found if end > max(begin, since))
        day += timedelta(days=1)


def _around(window: Window, now: datetime) -> Iterable[tuple[datetime, datetime]]:
    """(begin, end) of it on the days around `now`."""
    for offset in range(-1, 9):
        yield from _on(window, (now + timedelta(days=offset)).date(), now)


def _on(window: Window, day: date, now: datetime) -> Iterable[tuple[datetime, datetime]]:
    """(begin, end) of it where it begins on that day, with the offset that local time has then."""
    if not window.days or day.weekday() in window.days:
        over = window.end <= window.begin
        yield _at(day, window.begin, now), _at(day + timedelta(days=int(over)), window.end, now)


def _at(day: date, second: int, now: datetime) -> datetime:
    naive = datetime(day.year, day.month, day.day) + timedelta(seconds=second)
    return naive.astimezone() if now.tzinfo else naive


def _second(clock: str, text: str) -> int:
    hour, minute, second = map(int, f"{clock}:0".split(":")[:3])
    value = hour * 3600 + minute * 60 + second
    if max(minute, second) > 59 or value > _DAY:
        raise SpecError(f"{text!r}: {clock} is no time of day", hint="from 0:00 to 24:00")
    return value


def _days(text: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in re.split(r"\s*,\s*", text.strip()) if text.strip() else ():
        first, dash, last = (word.strip() for word in part.partition("-"))
        day = begin = _day(first)
        end = _day(last) if dash else begin
        found.add(day)
        while day != end:
            day = (day + 1) % 7
            found.add(day)
    return tuple(sorted(found))


def _day(word: str) -> int:
    name = word.lower()
    day = next((i for i, known in enumerate(DAYS) if len(name) >= 2 and known.startswith(name)), None)
    if day is None:
        raise SpecError(f"{word!r} is no day", hint=did_you_mean(name, [*DAYS, *(d[:3] for d in DAYS)]))
    return day


def _clock(second: int) -> str:
    seconds = f":{second % 60:02d}" if second % 60 else ""
    return f"{second // 3600:02d}:{second // 60 % 60:02d}{seconds}"


def split_windows(value: Any) -> Any:
    """A text of several windows as a list of one text each: a comma parts them, but not the days of one."""
    items = value if isinstance(value, list | tuple) else [value]
    found: list[Any] = []
    for item in items:
        if isinstance(item, str):
            found += [part for part in re.split(r"(?<=\d)\s*,", item) if part.strip()]
        else:
            found.append(item)
    return found


def _window(value: Any) -> Window:
    if isinstance(value, Window):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no window; {_HINT}, in quotes")
    try:
        return parse_window(value)
    except SpecError as error:
        raise ValueError("; ".join(filter(None, [error.message, error.hint]))) from None


Windows = Annotated[
    tuple[Annotated[Window, PlainValidator(_window), PlainSerializer(str)], ...],
    BeforeValidator(split_windows),
    Field(max_length=20),
]
"""A field that takes windows as one text, or as a list of texts, and is written down as their texts."""


def parse_windows(value: Any) -> tuple[Window, ...]:
    """The windows in a text or a list of texts. Raises SpecError."""
    return tuple(parse_window(text) for text in split_windows(value))
