"""History: an event stream as curves over iterations and hours, and what happened beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from srqueue.run.events import Event

UNITS = {
    "val/psnr": "dB", "val/psnr_rgb": "dB", "bicubic/psnr": "dB", "it_s": "it/s", "eta_s": "s",
    "cpu": "cores", "rss_mib": "MiB", "gpu_util": "%", "gpu_mib": "MiB", "gpu_watts": "W", "gpu_celsius": "C",
    "seconds": "s",
}  # fmt: skip
"""Units of the curves that have one."""

_NOT_CURVES = {"total_iter", "best_psnr", "best_iteration", "best", "non_finite"}


@dataclass
class Curve:
    """One figure over a run: the same index in every list is the same moment."""

    unit: str = ""
    it: list[int] = field(default_factory=list)  # optimizer steps done
    hours: list[float] = field(default_factory=list)  # of attempts, the time between them left out
    values: list[float] = field(default_factory=list)

    @property
    def last(self) -> float | None:
        """The newest value."""
        return self.values[-1] if self.values else None

    def add(self, it: int, hours: float, value: float) -> None:
        """One point more."""
        self.it.append(it)
        self.hours.append(hours)
        self.values.append(value)

    def cut(self, it: int) -> None:
        """Forgets what lies beyond `it`: it is trained again."""
        while self.it and self.it[-1] > it:
            for column in (self.it, self.hours, self.values):
                column.pop()


@dataclass(frozen=True)
class Mark:
    """Something that happened: kind is action, checkpoint, restart, warning or error."""

    it: int
    hours: float
    t: float  # UTC seconds
    kind: str
    text: str


@dataclass
class History:
    """A run as it looks from its end: iterations that were trained again count once."""

    curves: dict[str, Curve] = field(default_factory=dict)  # by metric: val/psnr, loss, losses/l1, lr
    marks: list[Mark] = field(default_factory=list)
    iteration: int = 0
    hours: float = 0.0  # trained so far, but for what a killed attempt lost

    def at_hours(self, metric: str, hours: float) -> float | None:
        """The newest value of a metric at so many hours; None before the first, and beyond the end."""
        curve = self.curves.get(metric)
        if curve is None or hours > self.hours:
            return None
        older = [value for at, value in zip(curve.hours, curve.values, strict=True) if at <= hours]
        return older[-1] if older else None


def history(events: Iterable[Event]) -> History:
    """The curves of an event stream in the order in which it was written, of one attempt or of many.

    A point is an event `train` or `val`. Where an iteration is lower than the one before (a roll-back, an
    attempt that goes on from a checkpoint), the points beyond it are dropped. What a killed attempt lost
    counts no hours, so that a run has the same hours whether or not its lost events are still there.
    """
    found, token, before = History(), -1, 0.0
    for event in events:
        if event.token == token:
            found.hours += max(event.t - before, 0.0) / 3600
        token, before = event.token, event.t
        if event.kind in ("train", "val"):
            _point(found, event)
        mark = _mark(event, found.hours)
        if mark is not None and mark.kind == "restart":
            found.hours = _hours_at(found, event.it)
            mark = replace(mark, hours=found.hours)
            _go_back(found, event.it)
        elif event.kind == "action" and event.it < found.iteration:
            _go_back(found, event.it)
        if mark is not None:
            found.marks.append(mark)
    return found


def _hours_at(found: History, it: int) -> float:
    """When the newest checkpoint of that iteration was there; now, where nothing is known of it."""
    saved = [mark.hours for mark in found.marks if mark.kind == "checkpoint" and mark.it == it]
    return saved[-1] if saved else found.hours if it else 0.0


def _point(found: History, event: Event) -> None:
    if event.it < found.iteration:
        _go_back(found, event.it - 1)  # what was said of this very iteration is said anew
    found.iteration = event.it
    for key, value in _figures(event.data):
        found.curves.setdefault(key, Curve(UNITS.get(key, ""))).add(event.it, found.hours, value)


def _go_back(found: History, it: int) -> None:
    found.iteration = it
    for curve in found.curves.values():
        curve.cut(it)


def _figures(data: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, float]]:
    """Numbers by key; those of a mapping within as `key/inner`."""
    for key, value in data.items():
        if under == "" and key in _NOT_CURVES:
            continue
        if isinstance(value, Mapping):
            yield from _figures(value, f"{under}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield under + key, float(value)


def _mark(event: Event, hours: float) -> Mark | None:
    data, text, kind = event.data, "", event.kind
    if kind == "action":
        text = f"{data.get('by')}: {data.get('did')} ({data.get('reason')})"
    elif kind == "checkpoint":
        text = str(data.get("name"))
    elif kind == "message" and data.get("level") in ("warning", "error"):
        kind, text = str(data["level"]), str(data.get("text"))
    elif kind == "phase" and data.get("phase") == "restored":
        kind, text = "restart", f"attempt {event.token} goes on from iteration {event.it}"
    elif kind == "phase" and data.get("phase") == "started" and event.token > 1:
        kind, text = "restart", f"attempt {event.token} begins"
    return Mark(event.it, hours, event.t, kind, text) if text else None
