"""Watching several jobs: all that run, or those of a campaign."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from srqueue.cli.curve_lines import Curves
from srqueue.cli.display import on_terminal
from srqueue.cli.job_table import TREND, cells, counts_text, drawing, line, psnr_of
from srqueue.cli.output import printable, say
from srqueue.errors import ServiceUnreachable
from srqueue.run.events import Event
from srqueue.run.reasons import JobState

if TYPE_CHECKING:
    from srqueue.store.campaigns import CampaignRecord
    from srqueue.store.record import JobRecord
    from srqueue.store.store import Store

POLL = 1.0
"""Seconds between two looks."""
_MOST = 200
"""Jobs that are looked at; of more those that run, then the newest."""
_GOING_ON = (JobState.RUNNING, JobState.QUEUED, JobState.HELD)
_ORDER = (JobState.RUNNING, JobState.QUEUED, JobState.HELD, JobState.PAUSED)


@dataclass
class Watched:
    """The jobs of one campaign; without one those that run, and those that did since this began."""

    store: Store
    campaign: str | None
    records: dict[str, JobRecord] = field(default_factory=dict)
    counts: dict[JobState, int] = field(default_factory=dict)
    file: CampaignRecord | None = None  # of a campaign that came from one

    def look(self) -> None:
        """Reads them. Raises ServiceUnreachable."""
        running = self.store.list([JobState.RUNNING], limit=_MOST, campaign=self.campaign)
        found = {record.id: record for record in running}
        if self.campaign:
            rest = self.store.list(limit=_MOST, campaign=self.campaign)
            found |= {r.id: r for r in rest if r.id not in found}
        else:
            found |= {job: r for job in self.records if job not in found and (r := self._again(job))}
        self.records = dict(list(found.items())[:_MOST])
        self.counts = {
            state: count for state in JobState if (count := self.store.count([state], campaign=self.campaign))
        }
        if self.campaign:
            from srqueue.store.campaigns import Campaigns

            self.file = Campaigns(self.store.connection).find(self.campaign)

    def _again(self, job_id: str) -> JobRecord | None:
        from srqueue.errors import UsageError

        with contextlib.suppress(UsageError):  # it was removed
            return self.store.get(job_id)
        return None

    @property
    def going_on(self) -> bool:
        """Whether something will happen by itself."""
        if self.file is None:
            return any(self.counts.get(state) for state in _GOING_ON)
        if self.counts.get(JobState.RUNNING) or self.counts.get(JobState.QUEUED):
            return True
        if self.file.state not in ("active", "submitting") or self.file.in_vain:
            return False  # held cells begin only where their campaign lets them
        searched = any(stage.get("search") for stage in self.file.spec["stages"].values())
        return searched or bool(self.counts.get(JobState.HELD))

    @property
    def rests(self) -> str | None:
        """Why nothing more happens though cells are left, and what to do; None where none is."""
        file = self.file
        if file is None or not (file.in_vain or file.state in ("paused", "stopped")):
            return None
        if file.state == "paused":
            return f"campaign {file.name} is paused; let it go on: srqueue campaign resume {file.name}"
        why = "waits for what did not succeed" if file.in_vain else f"is stopped: {file.message}"
        return f"campaign {file.name} {why}; look: srqueue campaign show {file.name}"

    def sorted(self) -> list[JobRecord]:
        """Those that run first, then the waiting, then the newest that ended."""

        def place(record: JobRecord) -> tuple[int, float]:
            state = record.state
            return (_ORDER.index(state) if state in _ORDER else len(_ORDER), -(record.finished or 0))

        return sorted(self.records.values(), key=place)


class Trends:
    """PSNR curves, read on from where they were read to."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._curves: dict[str, Curves] = {}
        self._read: dict[str, tuple[str, JobState | None]] = {}  # position, state at the last look

    def of(self, record: JobRecord) -> str:
        """The curve so far. Raises ServiceUnreachable."""
        curves = self._curves.setdefault(record.id, Curves())
        position, before = self._read.get(record.id, ("0-0", None))
        if JobState.RUNNING in (record.state, before) or before is None:
            while batch := self._store.events(record.id, after=position):
                position = batch[-1][0]
                for event in (Event.parse(text) for _, text in batch):
                    if event.kind in ("val", "phase"):  # the phases tell where it went back
                        curves.see(event)
        self._read[record.id] = (position, record.state)
        return curves.trend(TREND)


class Lines:
    """For no terminal: a line for each job whose state or PSNR is another."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[Any, ...]] = {}
        self._counts = ""

    def show(self, watched: Watched) -> None:
        """Prints what is new."""
        counts = counts_text({s: n for s, n in watched.counts.items() if s in _GOING_ON})
        if counts != self._counts:
            self._counts = counts
            print(counts or "nothing runs or waits any more", flush=True)
        for record in watched.sorted():
            seen = (record.state, record.wish, psnr_of(record))
            if self._told.get(record.id) != seen:
                self._told[record.id] = seen
                print(printable(line(record)), flush=True)


class Table:
    """For a terminal: one table that stays up to date."""

    def __init__(self, live: Any, store: Store) -> None:
        self._live, self._trends = live, Trends(store)

    def show(self, watched: Watched) -> None:
        """Draws it anew, as many rows as there is room for."""
        records = watched.sorted()
        room = max(self._live.console.height - 4, 3)
        rows = [cells(record, self._trends.of(record)) for record in records[:room]]
        more = f"{len(records) - room} more below; " if len(records) > room else ""
        self._live.update(drawing(rows, more + counts_text(watched.counts)))


def watch_many(store: Store, campaign: str | None, as_json: bool) -> Watched:
    """Shows them until nothing more happens by itself; what they are then.

    Redis going away for a while is told and waited out.
    """
    watched = Watched(store, campaign)
    watched.look()
    try:
        if as_json:  # stdout is for the JSON alone
            with contextlib.redirect_stdout(sys.stderr):
                _follow(watched)
        else:
            _follow(watched)
    except KeyboardInterrupt:
        say(f"the jobs go on without you; look again: srqueue watch{f' {campaign}' if campaign else ''}")
        raise
    return watched


def _follow(watched: Watched) -> None:
    away = False
    with _view(watched.store) as view:
        while True:
            try:
                watched.look()
                view.show(watched)
                away = False
                if not watched.going_on:
                    return
            except ServiceUnreachable as error:
                if not away:
                    say(f"{error.message.rstrip('.')}; the jobs are unharmed, waiting for Redis")
                away = True
            time.sleep(POLL)


@contextlib.contextmanager
def _view(store: Store) -> Iterator[Lines | Table]:
    if not on_terminal():
        yield Lines()
        return
    from rich.live import Live

    with Live(refresh_per_second=4) as live:
        yield Table(live, store)
