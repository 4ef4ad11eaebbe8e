"""Whether this machine may time what nothing has run yet, unasked: it must be able to, and have the time."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from srqueue.datasets import Registry
from srqueue.errors import ServiceUnreachable
from srqueue.gpus import find_gpu
from srqueue.queue.cell_forecasts import on_cuda
from srqueue.run.reasons import JobState
from srqueue.settings import Settings
from srqueue.spec.job import JobSpec
from srqueue.store.record import WorkerRecord
from srqueue.store.store import Store

_MOST_RUNNING = 2000
ELSEWHERE, LATER = "on the machine that trains it", "once nothing trains here"


@dataclass(frozen=True)
class Refusal:
    """Why a spec is not timed here unasked, and where or when it can be."""

    why: str
    where: str


class Calibrating:
    """As this machine stands now. Without Redis nothing is known of workers, and none is in the way."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._registry = settings, Registry(settings)
        self._workers: Sequence[WorkerRecord] = ()
        self._busy = False
        self._gpu = find_gpu(settings.device) is not None
        try:
            store = Store.connect(settings)
            self._workers = store.workers()
            here = socket.gethostname()
            self._busy = any(r.host == here for r in store.list([JobState.RUNNING], _MOST_RUNNING))
        except ServiceUnreachable:
            pass

    def refusal(self, spec: JobSpec) -> Refusal | None:
        """None where it may be timed."""
        if importlib.util.find_spec("torch") is None:
            return Refusal("torch is not installed here", ELSEWHERE)
        wanted = on_cuda(self._settings, spec, self._workers)
        if wanted is not None and wanted != self._gpu:
            kind = "a GPU, and none is" if wanted else "a processor, and a GPU is"
            return Refusal(f"it will train on {kind} used here", ELSEWHERE)
        name = spec.datasets.train.name
        if self._registry.find(name) is None:
            return Refusal(f"the data set {name!r} is not on this machine", ELSEWHERE)
        if self._busy:
            return Refusal("a job trains on this machine: it would be measured too slow", LATER)
        return None
