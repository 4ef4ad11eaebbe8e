"""What a user can do about the end of an attempt, beside the table of what follows by itself."""

from __future__ import annotations

from srqueue.run.reasons import StopReason

_BY_ITSELF = "nothing need be done: it goes on by itself"

REMEDIES: dict[StopReason, str] = {
    StopReason.COMPLETED: "its model: srqueue upscale; more iterations: srqueue extend JOB --iterations N",
    StopReason.STOPPED_EARLY: "its model: srqueue upscale; another way: srqueue upgrade JOB --preset tuned",
    StopReason.BUDGET_SPENT: "more iterations: srqueue extend JOB --iterations N",
    StopReason.PREEMPTED: _BY_ITSELF,
    StopReason.DRAINED: _BY_ITSELF,
    StopReason.YIELDED: _BY_ITSELF,
    StopReason.LEASE_LOST: _BY_ITSELF,
    StopReason.WORKER_LOST: "where it happens again: is the worker's machine up, and does it reach Redis?",
    StopReason.CRASHED: "the log of the attempt says where; srqueue verify-resume tries the machine",
    StopReason.HUNG: "the log holds the stack of the moment; SRQUEUE_HANG sets the patience",
    StopReason.OUT_OF_MEMORY: "submit it with a smaller datasets.train.lq_size, or another network_g",
    StopReason.DIVERGED: "submit it with a lower train.optim_g.lr, a train.warmup_iter or a train.grad_clip",
    StopReason.NO_PROGRESS: "look at the log of its last attempt; then: srqueue retry JOB",
    StopReason.DATA_CORRUPT: "srqueue dataset check NAME finds the pictures; then: srqueue retry JOB",
    StopReason.SPEC_INVALID: "submit it anew with the value that is named",
    StopReason.UNTRUSTED: "look at it: srqueue show JOB; where it is yours: srqueue signing sign JOB",
    StopReason.DATA_MISSING: "bring the pictures back; if they moved, add them again: srqueue dataset add",
    StopReason.DISK_FULL: "free some room under the runs root; at once: srqueue resume JOB",
    StopReason.ROOT_MISSING: "mount the folder again, or start a worker where it is (SRQUEUE_RUNS)",
    StopReason.PAUSED: "srqueue resume JOB",
    StopReason.RUNG: "its campaign decides; on to its end in any case: srqueue resume JOB",
    StopReason.CANCELLED: "srqueue retry JOB takes it up again where it stood",
}
"""By reason; JOB stands for the job."""
