"""What other machines have made of a job comes here before an attempt begins; the lease is kept meanwhile."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from srqueue.errors import ServiceUnreachable, SrqueueError
from srqueue.run.folder import RunDir
from srqueue.settings import Settings
from srqueue.spec.anchors import anchor_interval
from srqueue.spec.job import JobSpec
from srqueue.store.record import Claim, JobRecord
from srqueue.store.store import Store
from workers.uploads import NOT_NEEDED, environment_without

log = logging.getLogger(__name__)

_LOOK = 0.1


class NotBrought(SrqueueError):
    """The remote folder did not answer, or the worker is to end."""


def is_here(run: RunDir, claim: Claim) -> bool:
    """Whether this machine has the newest attempt before the claimed one, and what was published of it."""
    seq = claim.record.seq
    known = seq is None or any(name.seq == seq for name in run.checkpoint_names())
    return known and run.highest_token() == claim.token - 1


def bring(
    store: Store, settings: Settings, claim: Claim, run: RunDir, spec: JobSpec, draining: Callable[[], bool]
) -> int:
    """Brings what is newer than what is here; the highest token that the remote folder has seen.

    However long it takes, the lease is renewed. Raises NotBrought and LeaseLost.
    """
    interval = anchor_interval(spec.train.total_iter, spec.val.val_freq)
    told = _fetched([str(run.path), "--anchors", str(interval)], store, settings, claim, draining)
    for text in told["aside"]:
        log.warning("job %s: %s", claim.record.short_id, text)
    if told["newest"]:
        log.info(
            "job %s goes on from %s, which came from %s",
            claim.record.short_id,
            told["newest"],
            settings.remote,
        )
    return int(told["highest"])


def bring_start(
    store: Store,
    settings: Settings,
    claim: Claim,
    run: RunDir,
    other: JobRecord,
    draining: Callable[[], bool],
) -> str:
    """Brings the model of another job, that this one begins with, into its run folder; its SHA-256.

    The lease is renewed meanwhile. Raises NotBrought and LeaseLost.
    """
    told = _fetched([str(run.path), "--model-of", other.id], store, settings, claim, draining)
    return str(told["sha256"])


def _fetched(
    args: list[str], store: Store, settings: Settings, claim: Claim, draining: Callable[[], bool]
) -> dict[str, Any]:
    argv = [sys.executable, "-m", "workers.fetcher", *args]
    # Files: nobody reads while it runs, and a pipe that is full would stop it.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(
            argv, env=environment_without({*NOT_NEEDED, "SRQUEUE_REDIS_URL"}), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=out, stderr=err,
        )  # fmt: skip
        try:
            _wait(child, store, settings, claim, draining)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
        out.seek(0)
        err.seek(0)
        if child.returncode:
            lines = err.read().decode(errors="replace").strip().splitlines()
            raise NotBrought(lines[-1] if lines else f"exit code {child.returncode}")
        told: dict[str, Any] = json.load(out)
    return told


def _wait(
    child: subprocess.Popen[bytes], store: Store, settings: Settings, claim: Claim,
    draining: Callable[[], bool],
) -> None:  # fmt: skip
    renew_at = 0.0
    while child.poll() is None:
        if draining():
            raise NotBrought("the worker ends")
        if time.monotonic() >= renew_at:
            renew_at = time.monotonic() + settings.renew
            try:
                store.renew(claim.record.id, claim.token, settings.lease, claim.record.claimed)
            except ServiceUnreachable as error:
                log.debug("job %s: not renewed: %s", claim.record.short_id, error.message)
        time.sleep(_LOOK)
