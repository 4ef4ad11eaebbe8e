"""Why an attempt ended, and everything that follows from it, as one table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands. A wish (pause, cancel) is a request on the record, not a state."""

    HELD = "held"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """True where nothing more happens by itself."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class StopReason(StrEnum):
    """Why an attempt ended."""

    COMPLETED = "completed"
    STOPPED_EARLY = "stopped_early"
    BUDGET_SPENT = "budget_spent"
    PREEMPTED = "preempted"
    DRAINED = "drained"
    YIELDED = "yielded"
    LEASE_LOST = "lease_lost"
    WORKER_LOST = "worker_lost"
    CRASHED = "crashed"
    HUNG = "hung"
    OUT_OF_MEMORY = "out_of_memory"
    DIVERGED = "diverged"
    NO_PROGRESS = "no_progress"
    DATA_CORRUPT = "data_corrupt"
    SPEC_INVALID = "spec_invalid"
    UNTRUSTED = "untrusted"
    DATA_MISSING = "data_missing"
    DISK_FULL = "disk_full"
    ROOT_MISSING = "root_missing"
    PAUSED = "paused"
    RUNG = "rung"
    CANCELLED = "cancelled"


class Requeue(StrEnum):
    """When a job that is not over is looked at again."""

    NEVER = "never"
    FRONT = "front"  # at once, before others of its priority
    BACKOFF = "backoff"  # after a growing wait with jitter
    LATER = "later"  # held; looked at again by itself, at a fixed interval


@dataclass(frozen=True)
class Consequence:
    """What a StopReason means for the job, and how it is told to a person."""

    next_state: JobState
    requeue: Requeue
    counts_as_failure: bool
    text: str


def _succeeds(text: str) -> Consequence:
    return Consequence(JobState.SUCCEEDED, Requeue.NEVER, False, text)


def _goes_on(text: str) -> Consequence:
    return Consequence(JobState.QUEUED, Requeue.FRONT, False, text)


def _is_tried_again(text: str) -> Consequence:
    return Consequence(JobState.QUEUED, Requeue.BACKOFF, True, text)


def _fails(text: str) -> Consequence:
    return Consequence(JobState.FAILED, Requeue.NEVER, False, text)


def _waits(text: str) -> Consequence:
    return Consequence(JobState.HELD, Requeue.LATER, False, text)


CONSEQUENCES: dict[StopReason, Consequence] = {
    StopReason.COMPLETED: _succeeds("all iterations done"),
    StopReason.STOPPED_EARLY: _succeeds("stopped early: no more gain"),
    StopReason.BUDGET_SPENT: _succeeds("its budget is spent"),
    StopReason.PREEMPTED: _goes_on("gave way to a job of higher priority"),
    StopReason.DRAINED: _goes_on("its worker was shut down; handed back with a checkpoint"),
    StopReason.YIELDED: _goes_on("gave the machine back to its user"),
    StopReason.LEASE_LOST: _goes_on("another worker had taken it over"),
    StopReason.WORKER_LOST: _is_tried_again("its worker vanished"),
    StopReason.CRASHED: _is_tried_again("the trainer crashed"),
    StopReason.HUNG: _is_tried_again("the trainer made no progress and was ended"),
    StopReason.OUT_OF_MEMORY: _fails("does not fit into memory"),
    StopReason.DIVERGED: _fails("the training diverged"),
    StopReason.NO_PROGRESS: _fails("three attempts in a row ended without a new checkpoint"),
    StopReason.DATA_CORRUPT: _fails("pictures cannot be read"),
    StopReason.SPEC_INVALID: _fails("the spec does not hold"),
    StopReason.UNTRUSTED: _fails("nobody who may submit has signed it"),
    StopReason.DATA_MISSING: _waits("its data set is not there"),
    StopReason.DISK_FULL: _waits("the disk is full"),
    StopReason.ROOT_MISSING: _waits("its run folder is not there"),
    StopReason.PAUSED: Consequence(JobState.PAUSED, Requeue.NEVER, False, "paused"),
    StopReason.RUNG: Consequence(
        JobState.PAUSED, Requeue.NEVER, False, "at its rung: what the others reach there decides"
    ),
    StopReason.CANCELLED: Consequence(JobState.CANCELLED, Requeue.NEVER, False, "cancelled"),
}

FAILURES_IN_A_ROW = 3
"""That many counted failures without a new checkpoint between them end a job as NO_PROGRESS."""
