"""What the streams of the pages tell: one look a second at what somebody watches, whoever many they are."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from srqueue.errors import ServiceUnreachable, SrqueueError
from srqueue.monitor.backend import Backend
from srqueue.monitor.cards import by_name, card
from srqueue.monitor.curves import newest
from srqueue.monitor.refusals import NotThere, told
from srqueue.run.reasons import JobState
from srqueue.store.record import WorkerRecord
from srqueue.store.store import Store

log = logging.getLogger(__name__)

LIST = ""
"""What a watcher of the list watches; others watch a job's id."""
LOOK_S = 1.0
MOST = 200
"""Streams at a time; further pages poll."""
_RUNNING = 100

Said = tuple[str, Any]
"""(event, data)."""


@dataclass(eq=False)
class Watcher:
    """One stream: what it watches and what it was not told yet."""

    watched: str
    news: asyncio.Queue[Said] = field(default_factory=asyncio.Queue)


class Watch:
    """Looks only while somebody watches."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._watchers: set[Watcher] = set()
        self._seen: dict[str, dict[str, str]] = {}
        self._looking: asyncio.Task[None] | None = None

    def add(self, watched: str) -> Watcher | None:
        """A watcher, told at once how things stand; None where there are too many."""
        if len(self._watchers) >= MOST:
            return None
        watcher = Watcher(watched)
        for event, text in self._seen.get(watched, {}).items():
            watcher.news.put_nowait((event, json.loads(text)))
        self._watchers.add(watcher)
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())
        return watcher

    def remove(self, watcher: Watcher) -> None:
        """The stream has ended."""
        self._watchers.discard(watcher)

    async def _look(self) -> None:
        try:
            while self._watchers:
                watched = {watcher.watched for watcher in self._watchers}
                try:
                    found = await self._backend.ask(look, self._backend, frozenset(watched))
                except Exception:  # one look that failed must not silence all that come after it
                    log.exception("cannot look at what is watched")
                    found = {}
                for name in self._seen.keys() - watched:
                    del self._seen[name]
                for name, standing in found.items():
                    self._tell(name, standing)
                await asyncio.sleep(LOOK_S)
        finally:
            self._looking, self._seen = None, {}

    def _tell(self, watched: str, standing: Mapping[str, Any]) -> None:
        """Whoever watches it is told what is new."""
        before = self._seen.setdefault(watched, {})
        for event, data in standing.items():
            text = json.dumps(data, default=str)
            if before.get(event) == text:
                continue
            first = event not in before
            before[event] = text
            if event == "note" and data["error"] is None and first:
                continue
            for watcher in self._watchers:
                if watcher.watched == watched:
                    watcher.news.put_nowait((event, data))


def look(backend: Backend, watched: frozenset[str]) -> dict[str, dict[str, Any]]:
    """How what is watched stands now: data by event; what is wrong is the event `note`."""
    fine = {"error": None, "hint": None}
    found: dict[str, dict[str, Any]] = {}
    try:
        workers = by_name(backend.store.workers())
        for name in watched:
            try:
                found[name] = {"note": fine, **_stands(backend, name, workers)}
            except NotThere as error:
                found[name] = {"note": {**told(error), "gone": True}}
    except ServiceUnreachable as error:
        return {name: {"note": told(error)} for name in watched}
    except SrqueueError as error:
        return {name: found.get(name, {"note": told(error)}) for name in watched}
    return found


def _stands(backend: Backend, name: str, workers: Mapping[str, WorkerRecord]) -> dict[str, Any]:
    if name == LIST:
        return {"list": {"changed": True, "as_of": _fingerprint(backend.store)}}
    record = backend.job(name)
    left = None
    if record.state is JobState.RUNNING:
        left = backend.store.moments(record.id).lease_left
        # A renewal is no news, a missing one is.
        left = None if left is None or left > 0 else round(left)
    position = str(newest(backend.store, record))
    return {"job": card(record, workers, lease_left_s=left), "curves": {"position": position}}


def _fingerprint(store: Store) -> str:
    """Changes when the list does: counts, what runs and how far, what was changed last of the newest jobs."""
    counts = ".".join(str(n) for n in store.count_by_state().values())
    rows = [*store.list([JobState.RUNNING], _RUNNING), *store.list(limit=50)]
    return f"{counts}:{hash(tuple((r.id, r.updated, r.iteration, r.wish, r.priority) for r in rows)):x}"
