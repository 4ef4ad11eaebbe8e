"""The windows of a job, by this machine's clock."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime

from srqueue.errors import SpecError
from srqueue.spec.windows import is_open, opens, parse_windows
from srqueue.store.record import Claim, JobRecord, LeaseLost
from srqueue.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opening:
    """When a window opens, UTC s, and that until then none is open, in words."""

    at: float
    text: str


def opening_of(record: JobRecord) -> Opening | None:
    """When the job may run again; None where it may now. One that is only to be exported always may."""
    given = record.spec.get("window")
    if not given or record.wish in ("cancel", "finish"):
        return None
    try:
        windows = parse_windows(given)
    except SpecError:  # of another version: who reads its spec says so
        return None
    now = datetime.now().astimezone()
    if is_open(windows, now):
        return None
    at = opens(windows, now)
    day = "" if at.date() == now.date() else f"{at:%a} "
    return Opening(at.timestamp(), f"its window ({', '.join(map(str, windows))}) opens {day}{at:%H:%M}")


def put_off(store: Store, claim: Claim, at: float, text: str, left_until: float | None = None) -> None:
    """Undoes the claim of a job whose windows are closed, or that is left to another worker: it was no
    attempt."""
    log.info("job %s is put off: %s", claim.record.short_id, text)
    with contextlib.suppress(LeaseLost):  # somebody was quicker
        store.postpone(claim.record.id, claim.token, at, text, left_until)
