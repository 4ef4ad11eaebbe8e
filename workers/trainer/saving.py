"""Saving a run: its next checkpoint, and which old ones may go."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from srqueue.errors import CheckpointError
from srqueue.run.folder import CheckpointName, RunDir
from workers.trainer.checkpoint import Manifest, commit, expendable, read, remove, set_aside
from workers.trainer.reporter import DiskFull, Reporter
from workers.trainer.rollback import needed, refuges
from workers.trainer.state import Contents, RunState


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

    def save(self, state: RunState, tensors: dict[str, Tensor], reporter: Reporter) -> None:
        """Commits the run as it stands; `state.seq` is one higher afterwards.

        Raises OSError where it cannot be written; then nothing has changed.
        """
        begun = self.saved_at = time.monotonic()
        name = CheckpointName(state.seq + 1, state.iteration, self.token)
        manifest = Manifest(
            name=str(name),
            parent=str(self.parent) if self.parent else None,
            spec_id=self.spec_id,
            data=self.data,
            fingerprint=self.fingerprint,
            events_offset=reporter.offset,
            state={**state.to_json(), "seq": name.seq},
            trained=self.trained,
        )
        written = commit(self.run.checkpoints, tensors, manifest)
        state.seq, self.parent = name.seq, name
        seconds = round(time.monotonic() - begun, 4)
        reporter.emit("checkpoint", name=str(name), seq=name.seq, bytes=written, seconds=seconds)
        self._prune(state)

    def disk_full(self) -> DiskFull:
        """The error for a last checkpoint that could not be written."""
        return DiskFull(
            "the last checkpoint could not be written: no space left on device",
            where=str(self.run.checkpoints),
        )

    def refuge(self, iteration: int, reporter: Reporter) -> Contents | None:
        """Tensors and state that a run goes back to which went wrong at `iteration`; None: to its start.

        A damaged checkpoint is set aside and told, and the one before it taken.
        """
        parent = self.parent
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
            return tensors, RunState.from_json(manifest.state)
        return None

    def _prune(self, state: RunState) -> None:
        names = [n for n in self.run.checkpoint_names() if n.token <= self.token]
        kept = needed(names, self.anchor_interval, state.iteration)
        for name in expendable(names, self.total_iter, state.best_iteration, kept):
            remove(self.run.checkpoints / str(name))
