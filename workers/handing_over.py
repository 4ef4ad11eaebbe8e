"""A job that is handed back may go on elsewhere: it waits a moment for the upload of its last checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable

from srqueue.remote.pending import Pending
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import CONSEQUENCES, Requeue
from srqueue.settings import Settings

_LOOK = 0.1


def wait_for_upload(
    run: RunDir, token: int, outcome: Outcome, settings: Settings, keep_lease: Callable[[], bool]
) -> None:
    """Waits for `settings.remote_wait` at most; not where uploads fail anyway, or the job ends here."""
    if not settings.remote or CONSEQUENCES[outcome.reason].requeue is not Requeue.FRONT:
        return
    own = [name for name in run.checkpoint_names() if name.token == token]
    pending, until = Pending.below(settings.runs_root), time.monotonic() + settings.remote_wait
    while own and time.monotonic() < until and pending.waits(run.job_id, token) and keep_lease():
        state = pending.state(run.job_id, token)
        if state.failing or (state.seq is not None and state.seq >= own[-1].seq):
            return
        time.sleep(_LOOK)
