"""Where Redis has lost a running job: its owner tells it again."""

from __future__ import annotations

import logging
from dataclasses import replace

from srqueue.run.folder import CheckpointName, RunDir
from srqueue.run.reasons import JobState
from srqueue.run.spent import NOTHING, Spent, spent
from srqueue.store.record import JobRecord
from srqueue.store.store import Store

log = logging.getLogger(__name__)


def tell_again(store: Store, granted: JobRecord, token: int, run: RunDir | None) -> None:
    """Makes the record that is gone, or takes one over that is older than `token`.

    A running job cannot be removed: a record that is gone is lost data. `granted`: the record of the claim;
    `run`: its folder, once there is one. The events of the attempt itself are the relay's.
    Raises ServiceUnreachable.
    """
    record = replace(granted, state=JobState.RUNNING, token=token, wish=None, not_before=None, reason=None)
    if run is None and record.seq is None:  # no folder yet: any machine may take the job
        record = replace(record, root_id=None, run_dir=None)
    names, earlier, took = _on_disk(run, token) if run else ([], [], NOTHING)
    how = store.restore(record, names[-1] if names else None, by_owner=True, took=took)
    if how == "known":
        return
    log.warning("Redis has lost its data of job %s; it was told again", record.short_id)
    if how == "made":
        store.append_history(record.id, earlier)


def _on_disk(run: RunDir, token: int) -> tuple[list[CheckpointName], list[str], Spent]:
    """Checkpoints, and of earlier attempts the event lines and what they took. A folder out of reach stops no
    training."""
    try:
        earlier = [event.line() for event in run.events() if event.token < token]
        took = spent(attempt for attempt in run.attempts() if attempt.token < token)
        return run.checkpoint_names(), earlier, took
    except OSError as error:
        log.warning("the run folder %s cannot be read: %s", run.path, error)
        return [], [], NOTHING
