"""From a claim to an attempt that a trainer can start on: data, run folder, token, checkpoint."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pydantic import ValidationError

from srqueue.datasets import Registry, locate
from srqueue.errors import SrqueueError
from srqueue.run.atomic import write_file
from srqueue.run.folder import AttemptDir, RunDir
from srqueue.run.reasons import StopReason
from srqueue.settings import Settings
from srqueue.spec.job import JobSpec
from srqueue.store.record import Claim
from srqueue.store.store import Store
from workers.devices import Device
from workers.endings import FULL
from workers.forgotten import end_leftovers, free_device
from workers.patience import patiently


class NotReady(SrqueueError):
    """The attempt cannot begin; `reason` says what becomes of the job, `token` is the attempt's by now."""

    def __init__(self, reason: StopReason, message: str, token: int) -> None:
        super().__init__(message)
        self.reason = reason
        self.token = token


def prepare(
    store: Store, settings: Settings, claim: Claim, host: str, device: Device
) -> tuple[RunDir, AttemptDir]:
    """Makes the run folder and the attempt. Raises NotReady, LeaseLost or ServiceUnreachable.

    Only then is the job bound to this machine's runs root: where its data is missing here, or nothing can be
    written, another machine may take it.
    """
    record, token = claim.record, claim.token
    lease_ends = time.monotonic() + settings.lease
    run = RunDir(Path(str(record.run_dir)))
    spec = _spec(claim)
    listings = _listings(settings, claim, spec)
    try:
        if record.seq is not None and not run.checkpoint_names():
            # A job with a published checkpoint never starts from 0.
            told = f"no checkpoint in {run.checkpoints}, though one was published"
            raise NotReady(StopReason.ROOT_MISSING, told, token)
        run.create()
        end_leftovers(run, host)
        lock = device.lock_for(record.device_class)
        free_device(lock, store)
        if (seen := run.highest_token()) >= token:
            token = patiently(
                lambda: store.raise_token(record.id, claim.token, seen + 1), lease_ends - time.monotonic()
            )
        if not run.spec_file.exists():
            write_file(run.spec_file, spec.model_dump_json(indent=2).encode() + b"\n")
        names = run.checkpoint_names()
        attempt = run.write_attempt(
            token,
            names[-1] if names else None,
            listings=listings,
            device=device.for_job(record.device_class),
            threads=settings.threads,
            hang=settings.hang,
            device_lock=str(lock) if lock else None,
            host=host,
            supervisor_pid=os.getpid(),
        )
    except OSError as error:
        reason = StopReason.DISK_FULL if error.errno in FULL else StopReason.ROOT_MISSING
        told = f"cannot write to {run.path}: {error.strerror or error}"
        raise NotReady(reason, told, token) from None
    patiently(
        lambda: store.bind(record.id, token, str(record.root_id), str(run.path)),
        lease_ends - time.monotonic(),
    )
    return run, attempt


def _spec(claim: Claim) -> JobSpec:
    try:
        return JobSpec.model_validate(claim.record.spec)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise NotReady(StopReason.SPEC_INVALID, f"{place}: {first['msg']}", claim.token) from None


def _listings(settings: Settings, claim: Claim, spec: JobSpec) -> dict[str, str | None]:
    try:
        return locate(Registry(settings), spec)
    except (SrqueueError, OSError) as error:
        raise NotReady(StopReason.DATA_MISSING, str(error), claim.token) from None
