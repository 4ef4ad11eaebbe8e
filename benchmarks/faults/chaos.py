"""A fault every few seconds, drawn by a seeded generator, and everything put right again."""

import heapq
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.disk import SmallDisk
from benchmarks.faults.fleet import Worker
from benchmarks.faults.place import Place, say
from benchmarks.faults.watching import Watcher
from srqueue.errors import SrqueueError
from srqueue.queue.client import Client

FAILURES_SPARED = 2
"""A job with so many failures in a row is left alone until it has saved: the third ends it, as promised."""

Undo = Callable[[], "Sequence[Later] | None"]


@dataclass(frozen=True)
class Later:
    """What puts a fault right, and after how many seconds."""

    seconds: float
    undo: Undo


@dataclass(frozen=True)
class Done:
    """A fault that was done: to what, in words, and what puts it right. `job`: whose attempt it hits."""

    what: str
    later: Sequence[Later] = ()
    job: str | None = None
    after_commit: bool | None = None
    """Of a kill: whether the attempt had committed a checkpoint of its own."""


@dataclass
class World:
    """Everything that a fault may touch."""

    place: Place
    workers: list[Worker]
    jobs: list[str]
    watcher: Watcher
    client: Client
    disk: SmallDisk
    lease: float
    rng: random.Random
    server_down: bool = False
    disk_full: bool = False
    lines_lost: set[str] = field(default_factory=set)
    """Jobs that ran while the disk was full: event lines may be missing."""

    def record(self, job: str) -> dict[str, str]:
        """As the watcher saw it last."""
        return self.watcher.newest.get(job, {})

    def spared(self, job: str) -> bool:
        """Whether one more failure would rightly end the job."""
        return int(self.record(job).get("failures") or 0) >= FAILURES_SPARED


Fault = Callable[[World], Done | None]
"""None where it finds no victim at the moment."""


@dataclass
class Chaos:
    """Draws faults out of a shuffled deck, so that each kind comes about as often as it is in `kinds`."""

    world: World
    kinds: dict[str, tuple[Fault, int]]
    shortest: float = 5.0
    longest: float = 20.0
    happened: list[dict[str, Any]] = field(default_factory=list)
    _deck: list[str] = field(default_factory=list)
    _pending: list[tuple[float, int, Undo]] = field(default_factory=list)
    _number: itertools.count = field(default_factory=itertools.count)

    def run(self, seconds: float, over: Callable[[], bool]) -> None:
        """Faults for so long, or until `over`; then everything is put right."""
        begun = time.monotonic()
        due = begun + self._gap()
        try:
            while time.monotonic() < begun + seconds and not over():
                now = time.monotonic()
                self._put_right(now)
                if now >= due:
                    self._strike(now - begun)
                    due = time.monotonic() + self._gap()
                time.sleep(0.1)
        finally:
            self.end()

    def end(self) -> None:
        """Puts right whatever is not yet, now."""
        limit = time.monotonic() + 120
        while self._pending and time.monotonic() < limit:
            self._put_right(float("inf"))
            time.sleep(0.5)

    def counts(self) -> dict[str, int]:
        """Faults by kind; those that never came about have 0."""
        counted = Counter(h["kind"] for h in self.happened)
        return {kind: counted[kind] for kind in self.kinds}

    def _gap(self) -> float:
        return self.world.rng.uniform(self.shortest, self.longest)

    def _strike(self, at: float) -> None:
        """The next card that finds a victim; the others stay in the deck."""
        if len(self._deck) < len(self.kinds) // 2:
            fresh = [kind for kind, (_, times) in self.kinds.items() for _ in range(times)]
            self.world.rng.shuffle(fresh)
            self._deck += fresh
        for kind in list(self._deck):
            try:
                done = self.kinds[kind][0](self.world)
            except (SrqueueError, OSError) as error:  # Redis is away, or the victim has just ended
                say(f"no {kind} now: {str(error).splitlines()[0]}")
                continue
            if done is None:
                continue
            self._deck.remove(kind)
            for later in done.later:
                self._plan(later)
            noted = {"at": round(at, 1), "kind": kind, "what": done.what, "job": done.job}
            self.happened.append({**noted, "after_commit": done.after_commit})
            say(f"[{at:4.0f} s] {kind}: {done.what}")
            return

    def _plan(self, later: Later) -> None:
        heapq.heappush(self._pending, (time.monotonic() + later.seconds, next(self._number), later.undo))

    def _put_right(self, until: float) -> None:
        """What is due; with infinity also what was planned for later, but not what that plans in turn."""
        due = []
        while self._pending and self._pending[0][0] <= until:
            due.append(heapq.heappop(self._pending))
        for _, _, undo in due:
            try:
                for later in undo() or ():
                    self._plan(later)
            except (SrqueueError, OSError) as error:
                say(f"not put right yet: {str(error).splitlines()[0]}")
                self._plan(Later(1.0, undo))
