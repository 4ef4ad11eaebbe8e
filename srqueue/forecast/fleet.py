"""A queue played through: who trains what when, on workers with slots, with what waits for what."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Group = tuple[str, str | None, str | None]


@dataclass(frozen=True)
class Server:
    """A worker. `classes`: of devices that it serves; `root`: where the run folders are that it reaches."""

    name: str
    slots: int
    classes: tuple[str, ...]
    root: str | None = None


@dataclass(frozen=True)
class Task:
    """A job. `seconds`: that it still takes once it runs; `on`: the worker that runs it; `order`: of
    those of one priority the lower goes first; `after`: ids of jobs that must have ended before; `cap`:
    which limit it is under; `not_before`, `ends_by` (whatever it has done then): seconds from now."""

    id: str
    seconds: float
    priority: int = 5
    order: Any = 0
    device_class: str = "any"
    root: str | None = None
    on: str | None = None
    after: frozenset[str] = frozenset()
    cap: str | None = None
    not_before: float = 0.0
    ends_by: float = math.inf


@dataclass(frozen=True)
class Slot:
    """When a job begins and ends, seconds from now."""

    begin: float
    end: float


def play_queue(
    tasks: Sequence[Task], servers: Sequence[Server], caps: Mapping[str, int] | None = None
) -> dict[str, Slot]:
    """When each begins and ends; those that no worker can run, or that wait for such a one, are left out.

    `caps`: how many of the tasks of a name may run at a time. What a worker would do is done: the best
    ready job of those that it can run, by priority, then order. That a better job makes another give way,
    failures, pauses and jobs that come meanwhile are not foreseen.
    """
    return _Play(tasks, servers, caps or {}).run()


class _Play:
    def __init__(self, tasks: Sequence[Task], servers: Sequence[Server], caps: Mapping[str, int]) -> None:
        self._caps, self._found = caps, dict[str, Slot]()
        self._free = {s.name: s.slots for s in servers}
        self._servers = {s.name: s for s in servers}
        self._under: dict[str, int] = {}
        self._ready: dict[Group, list[tuple[int, Any, str]]] = {}
        self._tasks = {t.id: t for t in tasks}
        self._waits: dict[str, set[str]] = {}
        self._woken: dict[str, list[str]] = {}
        self._ends: list[
            tuple[float, int, str, str | None]
        ] = []  # (when, tie, id, worker); None: it gets ready
        self._tie = 0
        for task in tasks:
            if task.on is not None:
                self._begin(task, task.on, 0.0)
        for task in tasks:
            if task.on is None:
                self._put(task)

    def _put(self, task: Task) -> None:
        undone = {i for i in task.after if i in self._tasks}
        if undone:
            self._waits[task.id] = undone
            for other in undone:
                self._woken.setdefault(other, []).append(task.id)
        elif task.not_before > 0:
            self._note(task.not_before, task.id, None)
        else:
            self._make_ready(task)

    def _make_ready(self, task: Task) -> None:
        row = (-task.priority, task.order, task.id)
        heapq.heappush(self._ready.setdefault((task.device_class, task.root, task.cap), []), row)

    def _note(self, when: float, job: str, worker: str | None) -> None:
        self._tie += 1
        heapq.heappush(self._ends, (when, self._tie, job, worker))

    def _begin(self, task: Task, worker: str, now: float) -> None:
        if worker in self._free:
            self._free[worker] -= 1
        if task.cap is not None:
            self._under[task.cap] = self._under.get(task.cap, 0) + 1
        end = max(now, min(now + task.seconds, task.ends_by))
        self._found[task.id] = Slot(now, end)
        self._note(end, task.id, worker)

    def run(self) -> dict[str, Slot]:
        """Plays until nothing more can begin."""
        self._fill(0.0)
        while self._ends:
            now, _, job, worker = heapq.heappop(self._ends)
            task = self._tasks[job]
            if worker is None:
                self._make_ready(task)
            else:
                self._end(task, worker)
            if not self._ends or self._ends[0][0] > now:
                self._fill(now)
        return self._found

    def _end(self, task: Task, worker: str) -> None:
        if worker in self._free:
            self._free[worker] += 1
        if task.cap is not None:
            self._under[task.cap] -= 1
        for woken in self._woken.pop(task.id, ()):
            undone = self._waits[woken]
            undone.discard(task.id)
            if not undone:
                self._make_ready(self._tasks[woken])

    def _fill(self, now: float) -> None:
        """Gives every free slot the best that its worker may run."""
        for name, server in self._servers.items():
            while self._free[name] > 0 and (group := self._best(server)) is not None:
                _, _, job = heapq.heappop(self._ready[group])
                if not self._ready[group]:
                    del self._ready[group]
                self._begin(self._tasks[job], name, now)

    def _best(self, server: Server) -> Group | None:
        may = [(rows[0], group) for group, rows in self._ready.items() if self._may(server, group)]
        return min(may, key=lambda pair: pair[0])[1] if may else None

    def _may(self, server: Server, group: Group) -> bool:
        device_class, root, cap = group
        if device_class not in server.classes or root not in (None, server.root):
            return False
        return cap is None or self._under.get(cap, 0) < self._caps.get(cap, 1 << 30)


def last_end(slots: Iterable[Slot]) -> float | None:
    """When all have ended; None for none."""
    return max((slot.end for slot in slots), default=None)
