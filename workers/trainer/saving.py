"""Saving a run: its next checkpoint, beside the training where it is large, and which old ones may go."""

from __future__ import annotations

import contextlib
import copy
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from srqueue.errors import CheckpointError
from srqueue.run.folder import CheckpointName, RunDir
from workers.trainer.checkpoint import Manifest, commit, expendable, read, remove, set_aside
from workers.trainer.reporter import FULL, DiskFull, Reporter
from workers.trainer.rollback import needed, refuges
from workers.trainer.staging import Staging
from workers.trainer.state import Contents, RunState

ASYNCHRONOUS_FROM = 50_000_000
"""Bytes. A smaller checkpoint is written in less time than it takes to notice; a larger one beside the
training, from a copy."""


FAILURES = 3
"""So many checkpoints in a row that a disk refuses, though it is not full, end the attempt."""


class TakenOver(Exception):
    """A later attempt works in the run folder: this one may write nothing more."""


@dataclass
class Pending:
    """A checkpoint that is being written."""

    name: CheckpointName
    written: Future[tuple[int, float]]
    """(bytes, seconds it took)."""
    stalled: float
    """Seconds that the training stood still for it."""


@dataclass
class Saver:
    """The checkpoints of one attempt. `parent`: the newest one, also when an earlier attempt wrote it."""

    run: RunDir
    token: int
    spec_id: str
    data: dict[str, str | None]
    fingerprint: dict[str, Any]
    trained: dict[str, Any]
    total_iter: int
    anchor_interval: int
    parent: CheckpointName | None = None
    saved_at: float = field(default_factory=time.monotonic)
    """Monotonic time of the last save, or of the last one that failed."""
    pending: Pending | None = None
    error: OSError | None = None
    """Why the newest one could not be written."""
    _failures: int = 0
    _staging: Staging = field(default_factory=Staging)
    _writer: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
    )

    @property
    def written(self) -> bool:
        """Whether a checkpoint that was begun is done, well or not, and waits for `settle`."""
        return self.pending is not None and self.pending.written.done()

    def save(self, state: RunState, tensors: dict[str, Tensor], reporter: Reporter) -> None:
        """Commits the run as it stands, or begins to; `settle` tells what became of it.

        One at a time: call `settle` before. Raises TakenOver where a later attempt has begun.
        """
        assert self.pending is None, "a checkpoint is still being written"
        if self._taken_over():
            raise TakenOver
        begun = self.saved_at = time.monotonic()
        name = CheckpointName(state.seq + 1, state.iteration, self.token)
        manifest = Manifest(
            name=str(name),
            parent=str(self.parent) if self.parent else None,
            spec_id=self.spec_id,
            data=self.data,
            fingerprint=self.fingerprint,
            events_offset=reporter.offset,
            # The manifest must not change with the state while it is written.
            state=copy.deepcopy({**state.to_json(), "seq": name.seq}),
            trained=self.trained,
        )
        if sum(tensor.nbytes for tensor in tensors.values()) < ASYNCHRONOUS_FROM:
            written: Future[tuple[int, float]] = Future()
            try:
                written.set_result(_timed_commit(self.run.checkpoints, tensors, manifest))
            except OSError as error:
                written.set_exception(error)
        else:
            copies = self._staging.copies(tensors)
            written = self._writer.submit(_timed_commit, self.run.checkpoints, copies, manifest)
        self.pending = Pending(name, written, time.monotonic() - begun)

    def settle(self, state: RunState, reporter: Reporter) -> bool:
        """Waits for a checkpoint that was begun, tells of it, and prunes; `state.seq` is its number then.

        False where it could not be written: nothing has changed then, and the next one is tried as usual. A
        full disk may be made room on; for another reason raises OSError the third time in a row.
        """
        pending, self.pending = self.pending, None
        if pending is None:
            return True
        begun = time.monotonic()
        try:
            written, seconds = pending.written.result()
        except OSError as error:
            self._refused(error, reporter)
            return False
        self.error, self._failures = None, 0
        name = self.parent = pending.name
        state.seq = name.seq
        stalled = round(pending.stalled + time.monotonic() - begun, 4)
        told = {"name": str(name), "seq": name.seq, "bytes": written, "seconds": seconds, "stalled": stalled}
        reporter.emit_at(name.iteration, "checkpoint", **told)
        self._prune(state)
        return True

    def _refused(self, error: OSError, reporter: Reporter) -> None:
        self.error = error
        reporter.message("warning", f"could not save a checkpoint: {error.strerror}")
        self._failures = 0 if error.errno in FULL else self._failures + 1
        if self._failures >= FAILURES:
            raise error

    def not_saved(self) -> Exception:
        """The error for a last checkpoint that could not be written."""
        if self.error is not None and self.error.errno not in FULL:
            return self.error
        return DiskFull(
            "the last checkpoint could not be written: no space left on device",
            where=str(self.run.checkpoints),
        )

    def refuge(self, iteration: int, reporter: Reporter) -> Contents | None:
        """Tensors and state that a run goes back to which went wrong at `iteration`; None: to its start.

        A damaged checkpoint is set aside and told, and the one before it taken. Raises OSError where none can
        be read now.
        """
        parent, unread = self.parent, None
        names = [n for n in self.run.checkpoint_names() if parent and n.order <= parent.order]
        for name in refuges(names, self.anchor_interval, iteration):
            folder = self.run.checkpoints / str(name)
            try:
                manifest, tensors = read(folder)
            except CheckpointError as error:
                aside = set_aside(folder)
                reporter.message(
                    "warning", f"checkpoint {name} is damaged ({error.message}); set aside as {aside.name}"
                )
                continue
            except OSError as error:
                unread = error
                continue
            return tensors, RunState.from_json(manifest.state)
        if unread is not None:
            raise unread  # the next attempt may be able to read it
        return None

    def _taken_over(self) -> bool:
        try:
            return any(attempt.token > self.token for attempt in self.run.attempts())
        except OSError:  # out of reach for a moment; the commit will tell
            return False

    def _prune(self, state: RunState) -> None:
        with contextlib.suppress(OSError):  # what stays is removed after the next save
            names = [n for n in self.run.checkpoint_names() if n.token <= self.token]
            kept = needed(names, self.anchor_interval, state.iteration)
            for name in expendable(names, self.total_iter, state.best_iteration, kept):
                remove(self.run.checkpoints / str(name))


def _timed_commit(checkpoints: Path, tensors: dict[str, Tensor], manifest: Manifest) -> tuple[int, float]:
    begun = time.monotonic()
    return commit(checkpoints, tensors, manifest), round(time.monotonic() - begun, 4)
