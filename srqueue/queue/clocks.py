"""When jobs and workers may train, as forecasts see it: by the clock of who forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from srqueue.errors import SpecError
from srqueue.forecast.open_time import OpenTime
from srqueue.spec.windows import Window, parse_windows
from srqueue.store.record import JobRecord, WorkerRecord


class Clocks:
    """From `now` on, UTC s. Jobs and workers of the same windows share one `OpenTime`."""

    def __init__(self, now: float, workers: Sequence[WorkerRecord] = ()) -> None:
        self._now = now
        self._workers: Mapping[str, str] = {w.name: w.window for w in workers}
        self._known: dict[tuple[str, ...], OpenTime | None] = {}

    def of_job(self, record: JobRecord) -> OpenTime | None:
        """When a job's own windows are open; None where they always are."""
        return self._of(record.spec.get("window"))

    def of_worker(self, worker: WorkerRecord) -> OpenTime | None:
        """When a worker trains; None where it always does."""
        return self._of(worker.window)

    def training(self, record: JobRecord, moment: float) -> float:
        """Seconds that a running job trains until a moment, UTC s: its windows and its worker's are open."""
        hours = self._of(record.spec.get("window"), self._workers.get(record.worker or "", ""))
        wait = max(moment - self._now, 0.0)
        return wait if hours is None else hours.spent(wait)

    def _of(self, *given: Any) -> OpenTime | None:
        key = tuple(str(one) for one in given)
        if key not in self._known:
            made = OpenTime([windows_in(one) for one in given], self._now)
            self._known[key] = None if made.always else made
        return self._known[key]


def windows_in(given: Any) -> tuple[Window, ...]:
    """The windows that a record tells of; those of another version are none."""
    try:
        return parse_windows(given) if given else ()
    except SpecError:
        return ()
