"""From a claim to an attempt that a trainer can start on: data, run folder, token, checkpoint."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from srqueue.datasets import Registry, locate
from srqueue.errors import SrqueueError
from srqueue.run.atomic import write_file
from srqueue.run.folder import AttemptDir, RunDir
from srqueue.run.reasons import StopReason
from srqueue.settings import Settings
from srqueue.spec.job import JobSpec
from srqueue.store.record import Claim, JobRecord
from srqueue.store.store import Store
from workers.child import end_leftovers
from workers.devices import Device


class NotReady(SrqueueError):
    """The attempt cannot begin; `reason` says what becomes of the job."""

    def __init__(self, reason: StopReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def prepare(
    store: Store, settings: Settings, claim: Claim, host: str, device: Device
) -> tuple[RunDir, AttemptDir]:
    """Makes the run folder and the attempt. Raises NotReady, LeaseLost or ServiceUnreachable."""
    record = claim.record
    spec = _spec(record)
    try:
        listings = locate(Registry(settings), spec)
    except SrqueueError as error:
        raise NotReady(StopReason.DATA_MISSING, str(error)) from None
    run = RunDir(Path(str(record.run_dir)))
    if record.seq is not None and not run.checkpoint_names():
        # A job with a published checkpoint never starts from 0.
        raise NotReady(
            StopReason.ROOT_MISSING, f"no checkpoint in {run.checkpoints}, though one was published"
        )
    with _disk_failures(run):
        run.create()
        end_leftovers(run, host)
        token = claim.token
        if run.highest_token() >= token:
            token = store.raise_token(record.id, token, run.highest_token() + 1)
        if not run.spec_file.exists():
            write_file(run.spec_file, spec.model_dump_json(indent=2).encode() + b"\n")
        names = run.checkpoint_names()
        attempt = run.write_attempt(
            token,
            names[-1] if names else None,
            listings=listings,
            device=device.for_job(record.device_class),
            threads=settings.threads,
            host=host,
            supervisor_pid=os.getpid(),
        )
    return run, attempt


def _spec(record: JobRecord) -> JobSpec:
    try:
        return JobSpec.model_validate(record.spec)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise NotReady(StopReason.SPEC_INVALID, f"{place}: {first['msg']}") from None


@contextmanager
def _disk_failures(run: RunDir) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = StopReason.DISK_FULL if full else StopReason.ROOT_MISSING
        raise NotReady(reason, f"cannot write to {run.path}: {error.strerror}") from None
