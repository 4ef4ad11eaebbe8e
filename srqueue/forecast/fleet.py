"""A queue played through: who trains what when, on workers with slots, with what waits for what."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srqueue.forecast.open_time import FAR, OpenTime
from srqueue.forecast.purses import Budget, Purses
from srqueue.forecast.turns import NO_TURNS, Share, Taking, Turns

Group = tuple[str, str | None, str | None, frozenset[str] | None, Share]
Row = tuple[int, bool, Any, str]
_LEAST = 1e-6  # seconds


@dataclass(frozen=True)
class Server:
    """A worker. `classes`: of devices that it serves; `roots`: where the run folders are that it reaches;
    `hours`: when it trains, from now on; None: always."""

    name: str
    slots: int
    classes: tuple[str, ...]
    roots: tuple[str, ...] = ()
    hours: OpenTime | None = None


@dataclass(frozen=True)
class Task:
    """A job. `seconds`: that it still trains; `on`: the worker that runs it, `ran`: seconds for which it has
    there; `front`: it was handed back, and goes before others of its priority; then whose turn it is, by
    `share`; of those of one share the lower `order` goes first; `after`: ids of jobs that must have ended
    before; `cap`: which limit it is under; `not_before`, `ends_by` (whatever it has done then): seconds from
    now; `hours`: when it may run; `budget`: what pays for it; `kw`: that it draws; `fits`: names of the
    workers that have what it needs, None where all have."""

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
    hours: OpenTime | None = None
    budget: str | None = None
    kw: float = 0.0
    fits: frozenset[str] | None = None
    front: bool = False
    share: Share = ("", "")
    ran: float = 0.0


@dataclass(frozen=True)
class Slot:
    """When a job begins and ends, seconds from now; what it was interrupted for lies between."""

    begin: float
    end: float


@dataclass(frozen=True)
class Played:
    """A queue that was played. `spent`: when each budget was, seconds from now; one that was not is none of
    them. `cut`: what a budget ended before its time."""

    slots: Mapping[str, Slot]
    spent: Mapping[str, float]
    cut: frozenset[str] = frozenset()


def play_queue(
    tasks: Sequence[Task], servers: Sequence[Server], caps: Mapping[str, int] | None = None,
    turns: Turns = NO_TURNS,
) -> dict[str, Slot]:  # fmt: skip
    """When each begins and ends; those that no worker can run, or that wait for such a one, are left out.

    `caps`: how many of the tasks of a name may run at a time. What a worker would do is done: the best
    ready job of those that it can run, by priority, whose turn it is, then order; where the window of a job
    or of its worker closes, its slot is another's until it goes on, ahead of its priority. That a better job
    makes another give way, failures, pauses and jobs that come meanwhile are not foreseen.
    """
    return dict(play_budgets(tasks, servers, caps, {}, turns).slots)


def play_budgets(
    tasks: Sequence[Task], servers: Sequence[Server], caps: Mapping[str, int] | None,
    budgets: Mapping[str, Budget], turns: Turns = NO_TURNS,
) -> Played:  # fmt: skip
    """The same with budgets: where one is spent, what it pays for ends, and nothing more of it begins."""
    return _Play(tasks, servers, caps or {}, budgets, turns).run()


@dataclass(frozen=True)
class _Event:
    """`job` gets ready, or has run on `worker` as far as it can; a `budget` is spent; else a worker opens.
    `number`: of what it is about; it means nothing once that has a higher one."""

    job: str | None = None
    worker: str | None = None
    budget: str | None = None
    number: int = 0


@dataclass
class _Run:
    worker: str
    begun: float
    kw: float


class _Play:
    def __init__(
        self, tasks: Sequence[Task], servers: Sequence[Server], caps: Mapping[str, int],
        budgets: Mapping[str, Budget], turns: Turns,
    ) -> None:  # fmt: skip
        self._taking = Taking(turns)
        self._caps, self._found, self._spent = caps, dict[str, Slot](), dict[str, float]()
        self._free = {s.name: s.slots for s in servers}
        self._servers = {s.name: s for s in servers}
        self._under: dict[str, int] = {}
        self._ready: dict[Group, list[Row]] = {}
        self._tasks = {t.id: t for t in tasks}
        self._left = {t.id: t.seconds for t in tasks}
        self._begun: dict[str, float] = {}
        self._roots: dict[str, str | None] = {}  # of those that were interrupted
        self._runs: dict[str, _Run] = {}
        self._waits: dict[str, set[str]] = {}
        self._woken: dict[str, list[str]] = {}
        self._events: list[tuple[float, int, _Event]] = []
        self._tie = 0
        self._numbers: dict[str, int] = {}
        self._cut: set[str] = set()
        self._waking: dict[str, float] = {}
        self._limited = any(t.hours for t in tasks) or any(s.hours for s in servers)
        self._purses = Purses(budgets)
        for name in budgets:
            self._note_budget(name)
        for task in tasks:
            if task.on is not None:
                self._begin(task, task.on, 0.0)
        for task in tasks:
            if task.on is None:
                self._put(task)
        self._note(0.0, _Event())

    def _put(self, task: Task) -> None:
        undone = {i for i in task.after if i in self._tasks}
        if undone:
            self._waits[task.id] = undone
            for other in undone:
                self._woken.setdefault(other, []).append(task.id)
        elif task.not_before > 0:
            self._note(task.not_before, _Event(task.id))
        else:
            self._make_ready(task)

    def _make_ready(self, task: Task) -> None:
        root = self._roots.get(task.id, task.root)
        row = (-task.priority, not task.front and task.id not in self._begun, task.order, task.id)
        group = (task.device_class, root, task.cap, task.fits, task.share)
        heapq.heappush(self._ready.setdefault(group, []), row)

    def _note(self, when: float, event: _Event) -> None:
        if math.isfinite(when):
            self._tie += 1
            heapq.heappush(self._events, (when, self._tie, event))

    def _note_budget(self, name: str) -> None:
        number = self._numbers[name] = self._numbers.get(name, 0) + 1
        self._note(self._purses.empty_at(name), _Event(budget=name, number=number))

    def _pay(self, task: Task, now: float, running: int) -> None:
        if task.budget is not None and task.budget in self._purses and task.budget not in self._spent:
            self._purses.change(task.budget, now, running, running * task.kw)
            self._note_budget(task.budget)

    def _begin(self, task: Task, worker: str, now: float) -> None:
        if worker in self._free:
            self._free[worker] -= 1
        if task.cap is not None:
            self._under[task.cap] = self._under.get(task.cap, 0) + 1
        self._taking.begin(task.share)
        self._begun.setdefault(task.id, now)
        server = self._servers.get(worker)
        until = min(_closes(task.hours, now), _closes(server.hours if server else None, now))
        whole = max(min(self._left[task.id], task.ends_by - now), 0.0)
        self._runs[task.id] = _Run(worker, now, task.kw)
        number = self._numbers[task.id] = self._numbers.get(task.id, 0) + 1
        self._note(min(now + whole, until), _Event(task.id, worker, number=number))
        self._pay(task, now, 1)

    def run(self) -> Played:
        """Plays until nothing more can begin."""
        while self._events:
            now, _, event = heapq.heappop(self._events)
            if self._limited and now >= FAR:  # windows of a job and its worker that never meet
                break
            self._come(event, now)
            if not self._events or self._events[0][0] > now:
                self._fill(now)
        return Played(self._found, self._spent, frozenset(self._cut))

    def _come(self, event: _Event, now: float) -> None:
        if event.budget is not None:
            if event.number == self._numbers[event.budget]:
                self._spend(event.budget, now)
        elif event.job is not None and event.worker is None:
            self._make_ready(self._tasks[event.job])
        elif event.job is not None and event.number == self._numbers[event.job]:
            self._stop(self._tasks[event.job], now)

    def _stop(self, task: Task, now: float, paid: bool = True) -> None:
        """It has run as far as it can: it has ended, or goes on when it may."""
        run = self._runs.pop(task.id)
        self._numbers[task.id] += 1
        if run.worker in self._free:
            self._free[run.worker] += 1
        if task.cap is not None:
            self._under[task.cap] -= 1
        self._pay(task, now, -1)
        before = task.ran if task.on is not None and run.begun == 0.0 else 0.0
        self._taking.end(task.share, now - run.begun + before, now)
        self._left[task.id] -= now - run.begun
        if paid and self._left[task.id] > _LEAST and now < task.ends_by:
            server = self._servers.get(run.worker)
            if task.root is None and server is not None and server.roots:
                self._roots[task.id] = server.roots[0]  # the remote folder, where it has one
            self._note(task.hours.opens(now) if task.hours else now, _Event(task.id))
        else:
            self._end(task, now)

    def _end(self, task: Task, now: float) -> None:
        self._found[task.id] = Slot(self._begun[task.id], now)
        for woken in self._woken.pop(task.id, ()):
            undone = self._waits[woken]
            undone.discard(task.id)
            if not undone:
                self._make_ready(self._tasks[woken])

    def _spend(self, name: str, now: float) -> None:
        """Nothing is left of a budget: what runs ends, and so does what was interrupted."""
        self._spent[name] = now
        for task in self._tasks.values():
            if task.budget != name or task.id in self._found or task.id not in self._begun:
                continue
            self._cut.add(task.id)
            if task.id in self._runs:
                self._stop(task, now, paid=False)
            else:
                self._end(task, now)

    def _fill(self, now: float) -> None:
        """Gives every free slot the best that its worker may run."""
        for name, server in self._servers.items():
            opens = server.hours.opens(now) if server.hours else now
            if opens > now:
                if self._waking.get(name) != opens:
                    self._waking[name] = opens
                    self._note(opens, _Event())
                continue
            while self._free[name] > 0 and (group := self._best(server, now)) is not None:
                self._begin(self._tasks[self._take(group)], name, now)

    def _take(self, group: Group) -> str:
        """The best of a group, which is then no more in it."""
        job = heapq.heappop(self._ready[group])[3]
        if not self._ready[group]:
            del self._ready[group]
        return job

    def _best(self, server: Server, now: float) -> Group | None:
        may = [
            (rows[0], group) for group in list(self._ready)
            if self._may(server, group) and (rows := self._startable(group, now))
        ]  # fmt: skip
        if not may:
            return None
        if len({group[-1] for _, group in may}) == 1:  # one user's: nobody's turn is asked
            return min(may, key=lambda pair: pair[0])[1]
        return min(may, key=lambda pair: (pair[0][:2], self._taking.turn(pair[1][-1]), pair[0][2:]))[1]

    def _startable(self, group: Group, now: float) -> list[Row]:
        """A group without what may not begin now at its front."""
        while rows := self._ready.get(group, []):
            task = self._tasks[rows[0][3]]
            spent = task.budget in self._spent or task.id in self._found
            opens = task.hours.opens(now) if task.hours else now
            if not spent and opens <= now:
                return rows
            self._take(group)
            if not spent:
                self._note(opens, _Event(task.id))
        return []

    def _may(self, server: Server, group: Group) -> bool:
        device_class, root, cap, named, share = group
        if not self._taking.may(share):
            return False
        if named is not None and server.name not in named:
            return False
        if device_class not in server.classes or (root is not None and root not in server.roots):
            return False
        return cap is None or self._under.get(cap, 0) < self._caps.get(cap, 1 << 30)


def _closes(hours: OpenTime | None, now: float) -> float:
    return hours.closes(now) if hours is not None else math.inf


def last_end(slots: Iterable[Slot]) -> float | None:
    """When all have ended; None for none."""
    return max((slot.end for slot in slots), default=None)
