"""Curves and events of one job: from its run folder where that is here, else from the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from srqueue.curves.history import Curve, history
from srqueue.monitor.backend import run_folder
from srqueue.monitor.wording import said
from srqueue.run.events import Event, read_events
from srqueue.run.folder import RunDir
from srqueue.store.overview import newest_event
from srqueue.store.record import JobRecord
from srqueue.store.store import Store

POINTS = 2000
"""Of a curve at the most: no screen shows more."""
EVENTS = 500
"""Lines of the list of events, the newest."""
_BEGIN = "0-0"


@dataclass(frozen=True)
class Position:
    """How far somebody has read: an attempt's file and byte, or a place in the stream of the store."""

    token: int = 0
    offset: int = 0
    stream: str = _BEGIN

    def __str__(self) -> str:
        return f"f{self.token}-{self.offset}" if self.token else f"s{self.stream}"

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """None where it is no position."""
        kind, (first, dash, second) = text[:1], text[1:].partition("-")
        if kind not in ("f", "s") or not dash or not (first.isdigit() and second.isdigit()):
            return None
        if len(text) > 60 or not text.isascii():
            return None
        return cls(int(first), int(second)) if kind == "f" else cls(stream=f"{int(first)}-{int(second)}")


def newest(store: Store, record: JobRecord) -> Position:
    """The position behind the last event there is."""
    run = run_folder(record)
    for attempt in reversed(run.attempts() if run else []):
        try:
            size = attempt.events_file.stat().st_size
        except OSError:
            continue
        if size:
            return Position(attempt.token, size)
    return Position(stream=newest_event(store.connection, record.id) or _BEGIN)


def curves(store: Store, record: JobRecord, after: str) -> dict[str, Any]:
    """The whole history, thinned to POINTS a curve; `curves` is None where nothing came after `after`."""
    at = newest(store, record)
    if after == str(at):
        return {"position": after, "curves": None}
    found = history(_all(store, record, run_folder(record) if at.token else None))
    return {
        "position": str(at), "curves": {name: _thinned(curve) for name, curve in found.curves.items()},
        "marks": [vars(mark) for mark in found.marks], "iteration": found.iteration, "hours": found.hours,
    }  # fmt: skip


def events(store: Store, record: JobRecord, after: str) -> dict[str, Any]:
    """What happened after a position, oldest first; what is a point of a curve only is left out."""
    known, run = Position.parse(after) or Position(), run_folder(record)
    if run is not None and newest(store, record).token:
        lines, at = _of_folder(run, known)
    else:
        found = _of_store(store, record.id, known.stream)
        lines, at = [e for _, e in found], Position(stream=found[-1][0] if found else known.stream)
    rows = [
        {"t": e.t, "token": e.token, "it": e.it, "kind": e.kind, "text": text}
        for e in lines
        if (text := said(e))
    ]
    return {"position": str(at), "events": rows[-EVENTS:]}


def _all(store: Store, record: JobRecord, run: RunDir | None) -> Iterable[Event]:
    if run is not None:
        return run.events()
    return (event for _, event in _of_store(store, record.id, _BEGIN))


def _of_folder(run: RunDir, known: Position) -> tuple[list[Event], Position]:
    found, at = list[Event](), known
    for attempt in run.attempts():
        if attempt.token < known.token:
            continue
        start = known.offset if attempt.token == known.token else 0
        for event, offset in read_events(attempt.events_file, start):
            found.append(event)
            at = Position(attempt.token, offset)
    return found, at


def _of_store(store: Store, job_id: str, after: str) -> list[tuple[str, Event]]:
    """A stream may hold more than one answer does."""
    found = list[tuple[str, Event]]()
    while lines := store.events(job_id, after):
        found += _parsed(lines)
        after = lines[-1][0]
    return found


def _parsed(lines: Sequence[tuple[str, str]]) -> Iterator[tuple[str, Event]]:
    for position, line in lines:
        try:
            yield position, Event.parse(line)
        except (ValueError, KeyError, TypeError):
            continue


def _thinned(curve: Curve) -> dict[str, Any]:
    """Every n-th point and the last one."""
    count = len(curve.it)
    step = -(-count // POINTS) or 1
    kept = sorted({*range(0, count, step), count - 1}) if count else []
    columns: dict[str, Sequence[float]] = {"it": curve.it, "hours": curve.hours, "values": curve.values}
    return {"unit": curve.unit, **{name: [column[i] for i in kept] for name, column in columns.items()}}
