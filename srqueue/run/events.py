"""Event lines: what happened in an attempt, one JSON object a line.

A line is `{v, n, t, token, it, kind, data}`: n counts within the attempt, (token, n) tells doubles;
t = UTC seconds; it = optimizer steps done. Non-finite numbers are written as null and named in
`data["non_finite"]`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from srqueue.run.parsing import from_json

EVENT_VERSION = 1

EventKind = Literal["train", "val", "checkpoint", "action", "fingerprint", "resource", "phase", "message"]
EVENT_KINDS: tuple[str, ...] = get_args(EventKind)


@dataclass(frozen=True)
class Event:
    """One line of events.jsonl."""

    n: int
    t: float
    token: int
    it: int
    kind: str
    data: dict[str, Any]
    v: int = EVENT_VERSION

    @classmethod
    def parse(cls, line: str | bytes) -> Event:
        """Reads one line; ValueError where it is not an event."""
        raw = from_json(line)
        if not isinstance(raw, dict) or raw.get("kind") not in EVENT_KINDS:
            raise ValueError("not an event line")
        try:
            return cls(
                n=int(raw["n"]), t=float(raw["t"]), token=int(raw["token"]), it=int(raw["it"]),
                kind=raw["kind"], data=dict(raw["data"]), v=int(raw["v"]),
            )  # fmt: skip
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"not an event line: {error!r}") from None

    def line(self) -> str:
        """The event as JSON without line end."""
        body = {"v": self.v, "n": self.n, "t": round(self.t, 3), "token": self.token, "it": self.it}
        return json.dumps({**body, "kind": self.kind, "data": self.data}, allow_nan=False)


def finite(data: dict[str, Any]) -> dict[str, Any]:
    """`data` with NaN and infinities as None, and their keys listed under `non_finite`."""
    lost = [k for k, v in data.items() if isinstance(v, float) and not math.isfinite(v)]
    if not lost:
        return data
    return {**{k: (None if k in lost else v) for k, v in data.items()}, "non_finite": lost}


class EventWriter:
    """Appends event lines of one attempt; each line is flushed, so a reader sees it at once.

    It counts on from the lines that are there: before it trains, a trainer may have told why it waits.
    """

    def __init__(self, path: Path, token: int) -> None:
        self._file = path.open("ab")
        self._token = token
        self._n = path.read_bytes().count(b"\n") if path.is_file() else 0  # a device has no end

    def write(self, kind: EventKind, iteration: int, **data: Any) -> Event:
        """Appends one event and returns it."""
        event = Event(self._n, time.time(), self._token, iteration, kind, finite(data))
        self._n += 1  # before a write that may fail: no two lines share a number
        self._file.write(event.line().encode() + b"\n")
        self._file.flush()
        return event

    @property
    def offset(self) -> int:
        """Bytes written so far: what a checkpoint stores, so that later lines can be told apart."""
        return self._file.tell()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read_events(path: Path, start: int = 0, end: int | None = None) -> Iterator[tuple[Event, int]]:
    """Whole event lines of one attempt between two byte offsets, each with the offset after it.

    A last line without line end is still being written and is left for the next call; a line that is not
    an event (a torn disk) is skipped.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(start)
        offset = start
        for line in file:
            if not line.endswith(b"\n") or (end is not None and offset + len(line) > end):
                return
            offset += len(line)
            try:
                event = Event.parse(line)
            except ValueError:
                continue
            yield event, offset
