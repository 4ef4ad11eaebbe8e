"""Batches made ahead by threads, into a bounded number of stages."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

from workers.trainer.data.stages import Stage

Make = Callable[[Stage, int], set[int]]
"""Fills a stage for an iteration, and says what of; an exception means that it could not."""

Made = tuple[Stage, set[int] | None]
"""A stage and the pictures in it; None where it could not be filled."""

_WAIT = 1.0


class Ahead:
    """Makes the iterations behind the one that was taken last, `depth` of them, in `threads`.

    What it makes does not depend on when: a jump to another iteration throws away what was made and begins
    there. An iteration that cannot be made is handed over as such, when it is its turn, to be made and
    judged by who takes it. The threads end with `close`, or when nobody holds this any more.
    """

    def __init__(self, make: Make, stages: list[Stage], depth: int, threads: int) -> None:
        self._work = _Work(make, stages, depth)
        self._ending = weakref.finalize(self, self._work.close)
        self._threads = [
            threading.Thread(target=self._work.run, name=f"batches-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def take(self, iteration: int, waiting: Callable[[], None]) -> Made:
        """The stage of an iteration, yours until you `give` it back. `waiting` is called each second."""
        return self._work.take(iteration, waiting)

    def take_ready(self, iteration: int) -> Made | None:
        """The same where it was made already, and it is its turn."""
        return self._work.take_ready(iteration)

    def give(self, stage: Stage) -> None:
        """Gives a stage back."""
        self._work.give(stage)

    def close(self) -> None:
        """Ends the threads; what they are at is thrown away. Waits for them a moment."""
        self._ending()
        for thread in self._threads:
            thread.join(_WAIT)


class _Work:
    """What the threads share. They hold this and not the Ahead, so that it can go."""

    def __init__(self, make: Make, stages: list[Stage], depth: int) -> None:
        self._make, self._depth = make, depth
        self._free = list(stages)
        self._ready: dict[int, Made] = {}
        self._at = self._next = 0  # the next to be taken, the next to be made
        self._begun = self._closed = False
        self._era = 0  # jumps so far
        self._changed = threading.Condition()

    def take(self, iteration: int, waiting: Callable[[], None]) -> Made:
        with self._changed:
            if iteration != self._at or not self._begun:
                self._jump(iteration)
            while iteration not in self._ready:
                if not self._changed.wait(_WAIT):
                    waiting()
            return self._taken(iteration)

    def take_ready(self, iteration: int) -> Made | None:
        with self._changed:
            made = self._ready.get(iteration) if iteration == self._at else None
            return self._taken(iteration) if made is not None and made[1] is not None else None

    def give(self, stage: Stage) -> None:
        with self._changed:
            self._free.append(stage)
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def run(self) -> None:
        """One thread: takes the next number and a free stage, fills it, again."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._may_make())
                if self._closed:
                    return
                iteration, era, stage = self._next, self._era, self._free.pop()
                self._next += 1
            try:
                stage.wait()
                made = self._make(stage, iteration)
            except Exception:  # told by who takes it, who makes it once more
                made = None
            with self._changed:
                if era == self._era:
                    self._ready[iteration] = (stage, made)
                else:
                    self._free.append(stage)
                self._changed.notify_all()

    def _may_make(self) -> bool:
        return self._begun and bool(self._free) and self._next < self._at + self._depth

    def _taken(self, iteration: int) -> Made:
        self._at = iteration + 1
        self._changed.notify_all()
        return self._ready.pop(iteration)

    def _jump(self, iteration: int) -> None:
        self._free.extend(stage for stage, _ in self._ready.values())
        self._ready.clear()
        self._at = self._next = iteration
        self._begun, self._era = True, self._era + 1
        self._changed.notify_all()
