"""What the scripts are told about the end of an attempt: the table of StopReasons as JSON."""

from __future__ import annotations

import json
import random

from srqueue.run.reasons import CONSEQUENCES, FAILURES_IN_A_ROW, JobState, StopReason

LONGEST_BACKOFF = 300.0
"""Seconds; a machine that was away for a night is tried again within minutes."""
LOOK_AGAIN = 60.0
"""Seconds between two looks at a job that waits for its data or for room on the disk."""
EXPORTS_FIRST = "to be cancelled: a worker exports its best weights"
"""Message of a job that is cancelled while it does not run, and has a checkpoint."""

_WISHES = {"pause": StopReason.PAUSED, "cancel": StopReason.CANCELLED}


def consequence(reason: StopReason, message: str, backoff: float, opens: float | None = None) -> str:
    """JSON for `end_attempt` in prelude.lua. `backoff`: seconds before the first retry; `opens`: when a
    window of the job does, UTC s, where it yielded since it had closed."""
    row = CONSEQUENCES[reason]
    return json.dumps(
        {
            **({} if opens is None else {"opens": f"{opens:.3f}"}),
            "state": row.next_state,
            "requeue": row.requeue,
            "counts": row.counts_as_failure,
            "reason": reason,
            "message": message or row.text,
            "text": row.text,
            "wishes": {w: _wished(r) for w, r in _WISHES.items()},
            "withdrawn": {
                "state": CONSEQUENCES[StopReason.PAUSED].next_state,
                "text": "its pause was taken back",
            },
            "further": "it may go on from its rung",
            "exporting": EXPORTS_FIRST,
            "unexported": "cancelled; its best weights were not exported",
            "final": {state: True for state in JobState if state.final},
            "limit": FAILURES_IN_A_ROW,
            "no_progress": CONSEQUENCES[StopReason.NO_PROGRESS].text,
            "backoff": backoff,
            "longest": LONGEST_BACKOFF,
            "later": LOOK_AGAIN,
            "jitter": random.random(),
        }
    )


def _wished(reason: StopReason) -> dict[str, str]:
    row = CONSEQUENCES[reason]
    return {"state": row.next_state, "reason": reason, "text": row.text}
