"""From a claim to an attempt that a trainer can start on: data, run folder, token, checkpoint."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from srqueue.datasets import Registry, locate
from srqueue.errors import SrqueueError
from srqueue.remote.pending import Pending
from srqueue.remote.root import known_remote_id, remote_root_id
from srqueue.run.atomic import read_object, write_file
from srqueue.run.card import JobCard
from srqueue.run.folder import AttemptDir, RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.settings import Settings
from srqueue.spec.job import JobSpec
from srqueue.store.patience import patiently
from srqueue.store.record import Claim, JobRecord, LeaseLost, RecordGone
from srqueue.store.store import Store
from workers.devices import Device
from workers.endings import FULL
from workers.fetching import NotBrought, bring, bring_start, is_here
from workers.forgotten import end_leftovers, free_device
from workers.starting import NoModel, take_model
from workers.targets import targets_of
from workers.this_machine import machine_id
from workers.trusting import untrusted


class NotReady(SrqueueError):
    """The attempt cannot begin; `reason` says what becomes of the job, `token` is the attempt's by now."""

    def __init__(self, reason: StopReason, message: str, token: int) -> None:
        super().__init__(message)
        self.reason = reason
        self.token = token


def prepare(
    store: Store, settings: Settings, claim: Claim, host: str, device: Device,
    draining: Callable[[], bool] = lambda: False,
) -> tuple[RunDir, AttemptDir]:  # fmt: skip
    """Makes the run folder and the attempt. Raises NotReady, LeaseLost or ServiceUnreachable.

    Only then is the job bound to this machine's runs root: where its data is missing here, or nothing can be
    written, another machine may take it.
    """
    record, token = claim.record, claim.token
    lease_ends = time.monotonic() + settings.lease
    if Path(str(record.run_dir)).is_symlink():
        raise NotReady(
            StopReason.ROOT_MISSING, f"{record.run_dir} is a link: run folders lie in the runs root", token
        )
    if why := untrusted(record, store.keyring):
        raise NotReady(StopReason.UNTRUSTED, why, token)
    run = RunDir(Path(str(record.run_dir)))
    spec = _spec(claim)
    listings = _listings(settings, claim, spec)
    try:
        seen = _elsewhere(store, settings, claim, run, spec, draining)
        lease_ends = time.monotonic() + settings.lease
        if record.seq is not None and not run.checkpoint_names():
            # A job with a published checkpoint never starts from 0.
            told = f"no checkpoint in {run.checkpoints}, though one was published"
            if settings.remote:
                told = f"its newest checkpoint was saved on {record.host} and is not uploaded yet"
            raise NotReady(StopReason.ROOT_MISSING, told, token)
        run.create()
        if (seen := max(seen, run.highest_token())) >= token:  # Redis went back to older data
            _leave_it_to_its_owner(store, claim, run, lease_ends)
        end_leftovers(run, host)
        lock = device.lock_for(record.device_class)
        more = device.more_for(record.device_class, spec.compute.devices)
        for file in (lock, *(file for _, file in more)):
            free_device(file, store)
        if seen >= token:
            token = patiently(
                lambda: store.raise_token(record.id, claim.token, seen + 1), lease_ends - time.monotonic()
            )
        _write_spec(run, spec)
        _card(record).write(run.card_file)
        run.brought_file.unlink(missing_ok=True)
        if spec.path.pretrain_jobs and not run.start_file.is_file():
            _take_start(store, settings, replace(claim, token=token), run, spec, draining)
            lease_ends = time.monotonic() + settings.lease
        names = run.checkpoint_names()
        name = device.for_job(record.device_class)
        attempt = run.write_attempt(
            token,
            names[-1] if names else None,
            listings=listings,
            device=name,
            devices=[name, *(other for other, _ in more)],
            threads=device.threads(settings, name),
            bank=settings.bank_place,
            power=settings.power,
            targets=targets_of(store, spec),
            hang=settings.hang,
            device_lock=str(lock) if lock else None,
            more_locks=[str(file) for _, file in more],
            slots=device.slots,
            until=record.until,
            host=host,
            owner=record.owner,
            supervisor_pid=os.getpid(),
        )
    except OSError as error:
        reason = StopReason.DISK_FULL if error.errno in FULL else StopReason.ROOT_MISSING
        told = f"cannot write to {run.path}: {error.strerror or error}"
        raise NotReady(reason, told, token) from None
    root_id = record.root_id
    if settings.remote:  # also one that was begun without: from now on it is there
        root_id = remote_root_id(settings.remote, settings.runs_root)
        Pending.below(settings.runs_root).add(record.id, token, root_id)
    with contextlib.suppress(RecordGone):  # the first renewal tells Redis all of it
        patiently(
            lambda: store.bind(record.id, token, str(root_id), str(run.path), machine_id()),
            lease_ends - time.monotonic(),
        )
    return run, attempt


def _elsewhere(
    store: Store, settings: Settings, claim: Claim, run: RunDir, spec: JobSpec, draining: Callable[[], bool]
) -> int:
    """Brings what attempts on other machines have left; the highest token that was seen there."""
    if not settings.remote or claim.token == 1 or is_here(run, claim):
        return 0
    try:
        return bring(store, settings, claim, run, spec, draining)
    except NotBrought as error:
        reason = StopReason.DRAINED if draining() else StopReason.ROOT_MISSING
        raise NotReady(reason, error.message, claim.token) from None


def _take_start(
    store: Store, settings: Settings, claim: Claim, run: RunDir, spec: JobSpec, draining: Callable[[], bool]
) -> None:
    """The model of another job that it begins with, also where another machine has exported that."""
    remote_id = known_remote_id(settings.remote, settings.runs_root)
    try:
        take_model(
            store, spec, run, remote_id,
            lambda other: bring_start(store, settings, claim, run, other, draining),
        )  # fmt: skip
    except NoModel as error:
        raise NotReady(StopReason.DATA_MISSING, str(error), claim.token) from None
    except NotBrought as error:
        reason = StopReason.DRAINED if draining() else StopReason.DATA_MISSING
        told = f"the model that it begins with could not be brought: {error.message}"
        raise NotReady(reason, told, claim.token) from None


def _write_spec(run: RunDir, spec: JobSpec) -> None:
    """What is trained is what the record says, whose signature was looked at; what a file says may have been
    brought from elsewhere."""
    try:
        if JobSpec.model_validate(read_object(run.spec_file)) == spec:
            return
    except ValidationError:
        pass
    write_file(run.spec_file, spec.model_dump_json(indent=2).encode() + b"\n")


def _leave_it_to_its_owner(store: Store, claim: Claim, run: RunDir, lease_ends: float) -> None:
    """Raises LeaseLost where the newest attempt may be alive: its owner has one lease to say so."""
    newest = run.highest_token()
    if Outcome.read(run.attempt(newest).outcome_file) is not None:
        return
    job = claim.record
    if patiently(lambda: store.defer(job.id, claim.token, newest), lease_ends - time.monotonic()):
        raise LeaseLost(f"Redis has forgotten attempt {newest}, which may be alive")


def _card(record: JobRecord) -> JobCard:
    return JobCard(
        id=record.id, name=record.name, priority=record.priority, device_class=record.device_class,
        origins=record.origins, created=record.created, spec_id=record.spec_id,
        campaigns=record.campaigns, maker=record.maker or "", rungs=record.rungs,
        signature=record.signature or "", user=record.user or "", share=record.share or "",
        gpu_memory=record.gpu_memory or 0, peak=record.peak or 0, needs=record.needs or "",
    )  # fmt: skip


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
