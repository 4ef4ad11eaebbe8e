"""What is stored about each attempt at a job."""

from __future__ import annotations

import json
from dataclasses import dataclass

from srqueue.run.reasons import JobState, StopReason


@dataclass(frozen=True, kw_only=True)
class AttemptRecord:
    """One attempt, as the scripts noted it. Times are UTC seconds.

    `from_iteration`: the checkpoint it went on from; `iteration`: how far it was known to have come;
    `seq`: the newest published checkpoint at its end; `counted`: whether it was a failure without a new
    checkpoint, and `failures` how many of these in a row that made; `state`: what became of the job.
    `kwh`: what it drew, where its trainer told. All from `ended` on are None while it runs.
    """

    token: int
    worker: str
    host: str
    begun: float
    from_iteration: int
    ended: float | None = None
    iteration: int | None = None
    seq: int | None = None
    reason: StopReason | None = None
    message: str | None = None
    counted: bool = False
    failures: int | None = None
    state: JobState | None = None
    not_before: float | None = None
    kwh: float | None = None

    @classmethod
    def parse(cls, text: str) -> AttemptRecord:
        """From the JSON of the scripts; fields of other versions are left out."""
        raw = json.loads(text)
        known = {key: value for key, value in raw.items() if key in cls.__dataclass_fields__}
        for key, kind in (("reason", StopReason), ("state", JobState)):
            if known.get(key):
                known[key] = kind(known[key])
        return cls(**known)
