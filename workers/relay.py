"""From the attempt's event file to Redis: lines for watchers, checkpoints, progress."""

from __future__ import annotations

from itertools import islice
from typing import Any

from srqueue.queue.searching import kept
from srqueue.run.events import Event, read_events
from srqueue.run.folder import AttemptDir
from srqueue.run.shown import show
from srqueue.store.occasions import Occasions
from srqueue.store.offers import CONTEXT, coarse
from srqueue.store.record import Claim
from srqueue.store.searches import Searches
from srqueue.store.store import Store
from workers.forecasting import Forecaster

_LINES_A_TIME = 200
_MOST_TEXT = 300
_ON_A_PLATEAU = ("IntelligentLearningRateScheduler", "IntelligentEarlyStopping")
"""Automations that act where the quality stands still."""


class Relay:
    """Follows one attempt. Nothing is held in memory: what Redis did not take is read again from the file."""

    def __init__(
        self, store: Store, claim: Claim, attempt: AttemptDir, forecaster: Forecaster | None = None,
        memory: int = 0,
    ) -> None:  # fmt: skip
        """`memory`: bytes of a GPU that the job gets here; 0 unknown."""
        self._forecaster = forecaster
        self._memory = memory
        self._store = store
        self._occasions = Occasions(store.connection)
        self._job_id = claim.record.id
        self._token = attempt.token
        self._file = attempt.events_file
        self._offset = 0
        self._searches = Searches(store.connection)
        self._rungs = claim.record.rungs
        self._on_gpu = False  # as this attempt's fingerprint says
        self._foreseen = -1  # the newest line that the forecaster has seen: the same may be sent again
        self.iteration = claim.record.iteration
        self.progress: dict[str, Any] = dict(claim.record.progress)

    def forward(self) -> bool:
        """Sends the next new lines; False where there were none.

        Raises ServiceUnreachable or LeaseLost; the same lines are then sent again by the next call. Redis
        knows which it has, and also where it went back to older data none is missing or there twice.
        """
        batch = list(islice(read_events(self._file, start=self._offset), _LINES_A_TIME))
        if not batch:
            return False
        events = [event for event, _ in batch]
        newest = [e for e in events if e.kind == "checkpoint"][-1:]
        for event in newest:
            self._store.publish(self._job_id, self._token, int(event.data["seq"]), event.it)
        self._note(events)
        if self._forecaster is not None and (found := self._forecaster.newest()):
            self.progress["forecast"] = found
        self._store.set_progress(self._job_id, self._token, self.iteration, self.progress)
        span = (self._offset, batch[-1][1])
        told = self._store.append_events(self._job_id, self._token, [e.line() for e in events], span)
        self._offset = span[1] if told is None else told
        return True

    def _note(self, events: list[Event]) -> None:
        if self._forecaster is not None:
            self._forecaster.see([e for e in events if e.n > self._foreseen])
            self._foreseen = events[-1].n
        for event in events:
            if event.kind != "checkpoint":  # it may tell of an earlier one, written meanwhile
                self.iteration = event.it
            show(self.progress, event)
            if event.kind == "fingerprint":
                self._on_gpu = event.data.get("cuda") is not None
            if self._on_gpu and event.kind == "resource" and (peak := event.data.get("peak_bytes")):
                # Where it runs it fits: what is rounded up must not keep it from this very card.
                needed = coarse(int(peak) + CONTEXT)
                needed = min(needed, self._memory) if self._memory else needed
                self._store.note_peak(self._job_id, self._token, needed)
            if event.kind == "val" and event.it in self._rungs:
                # Where the lease was lost this notes nothing, and what follows says so.
                self._searches.note(self._job_id, self._token, event.it, kept(event.data))
            if occasion := _occasion(self._job_id, event):
                self._occasions.note(occasion)


def _occasion(job_id: str, event: Event) -> str | None:
    """What a notice may be about; the same event is the same occasion, however often it is sent."""
    data = event.data
    if event.kind == "phase" and data.get("phase") == "started":
        return f"started:{job_id}"
    if event.kind == "action" and data.get("by") in _ON_A_PLATEAU:
        text = f"{data['by']} {data.get('did')}: {data.get('reason')}"
        return f"plateau:{job_id}:{event.it}:{text[:_MOST_TEXT]}"
    return None
