"""From the remote folder to a run folder: what a worker elsewhere needs to go on, bit for bit."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from srqueue.errors import CheckpointError
from srqueue.remote.folder import RemoteFolder, unlimited
from srqueue.remote.layout import DAMAGED, MANIFEST
from srqueue.remote.sealed import Seal, checked_sha256, read_seal, sha256_of
from srqueue.remote.there import There, look
from srqueue.run.atomic import fsync_dir, read_object, write_file
from srqueue.run.folder import CheckpointName, RunDir

log = logging.getLogger(__name__)

ANCHORS = 5
"""Newest checkpoints at validations that are brought as well: a run that diverges may go back to them."""
_PAYLOAD = "state.safetensors"
_SMALL = 64 << 20
"""Bytes of what is read into memory: specs, manifests, parts of events. No more is believed to be ours."""
_LARGEST_MODEL = 8 << 30
"""Bytes of a model of another job."""


@dataclass(frozen=True)
class Fetched:
    """`newest`: the checkpoint that was brought, None where those here are as new or none is there;
    `aside`: what was found damaged, in words."""

    newest: CheckpointName | None
    there: There
    aside: tuple[str, ...] = ()


def fetch(
    remote: RemoteFolder, run: RunDir, *, anchor_interval: int = 0, checkpoints: bool = True,
    took: Callable[[int], None] = unlimited,
) -> Fetched:  # fmt: skip
    """Brings what earlier attempts left elsewhere: events, outcomes, the newest checkpoint.

    A checkpoint is verified by its manifest before it gets its name; a damaged one is marked as such and the
    whole one before it taken. `anchor_interval`: iterations between those that a run may go back to.
    Raises RemoteUnreachable, and OSError where the run folder cannot be written.
    """
    there = look(remote, run.job_id)
    run.create()
    for token, files in there.attempts.items():
        _attempt(remote, run, there, token, files)
    for name, file in ((there.names.card, run.card_file), (there.names.spec, run.spec_file)):
        if name in there.sizes and not file.exists():
            run.brought_file.touch()  # first
            write_file(file, _read(remote, there, name))
    if not checkpoints:
        return Fetched(None, there)
    newest, aside = _newest(remote, run, there, took)
    if newest is None:
        return Fetched(None, there, aside)
    _decided(remote, run, there, newest.token, took)
    if anchor_interval:
        earlier = [n for n in there.checkpoints if n.order < newest.order]
        anchors = [n for n in reversed(earlier) if n.iteration % anchor_interval == 0][:ANCHORS]
        for anchor in anchors:
            with contextlib.suppress(CheckpointError, FileNotFoundError):
                _checkpoint(remote, run, there, anchor, took)
    return Fetched(newest, there, aside)


def _newest(
    remote: RemoteFolder, run: RunDir, there: There, took: Callable[[int], None]
) -> tuple[CheckpointName | None, tuple[str, ...]]:
    here = [name.order for name in run.checkpoint_names()]
    aside: list[str] = []
    for name in reversed(there.checkpoints):
        if here and name.order <= max(here):
            return None, tuple(aside)
        try:
            _checkpoint(remote, run, there, name, took)
        except CheckpointError as error:
            aside.append(f"checkpoint {name} in the remote folder is damaged: {error.message}")
            log.warning("job %s: %s", run.job_id, aside[-1])
            remote.write(there.names.checkpoint(name, DAMAGED), error.message.encode())
            continue
        except FileNotFoundError:  # pruned since it was listed
            continue
        return name, tuple(aside)
    return None, tuple(aside)


def _checkpoint(
    remote: RemoteFolder, run: RunDir, there: There, name: CheckpointName, took: Callable[[int], None]
) -> None:
    """Brings one, in the order of a save: payload, manifest, rename. Raises CheckpointError if damaged."""
    target = run.checkpoints / str(name)
    if target.is_dir():
        return
    manifest, seal = _manifest(remote, there, name)
    temporary = run.checkpoints / f"tmp-{name}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        _payload(remote, there, name, seal, temporary / _PAYLOAD, took)
        write_file(temporary / MANIFEST, manifest)
        temporary.rename(target)
        fsync_dir(run.checkpoints)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _manifest(remote: RemoteFolder, there: There, name: CheckpointName) -> tuple[bytes, Seal]:
    """Read twice before it is called damaged: others will not look at that checkpoint again."""
    for last in (False, True):
        manifest = _read(remote, there, there.names.checkpoint(name, MANIFEST))
        try:
            return manifest, read_seal(manifest, str(name))
        except CheckpointError:
            if last:
                raise
    raise AssertionError


def _payload(
    remote: RemoteFolder, there: There, name: CheckpointName, seal: Seal, file: Path,
    took: Callable[[int], None],
) -> None:  # fmt: skip
    payload = there.names.payload(name, seal.sha256)
    if there.sizes.get(payload, seal.bytes) != seal.bytes:
        raise CheckpointError("its payload is not as large as its manifest says", where=str(name))
    for last in (False, True):  # what came wrong over the wire is not wrong over there
        try:
            remote.download(payload, file, took)
        except FileNotFoundError:
            raise CheckpointError("its payload is gone", where=str(name)) from None
        if file.stat().st_size == seal.bytes and sha256_of(file) == seal.sha256:
            return
        if last:
            raise CheckpointError("the payload's SHA-256 is wrong", where=str(name))
        file.unlink()


def _decided(
    remote: RemoteFolder, run: RunDir, there: There, token: int, took: Callable[[int], None]
) -> None:
    """What the first attempt decided for all: the resolved spec, and the model of another job."""
    held = there.attempts.get(token, ())
    if "spec.resolved.json" in held:
        write_file(run.resolved_file, _read(remote, there, there.names.attempt(token, "spec.resolved.json")))
    if "start.json" in held:
        write_file(run.start_file, _read(remote, there, there.names.attempt(token, "start.json")))
        sha256 = checked_sha256(read_object(run.start_file).get("sha256"), str(run.start_file))
        if there.sizes.get(there.names.start(sha256), 0) > _LARGEST_MODEL:
            raise CheckpointError("the model that it began with is larger than any", where=remote.url)
        if not run.start_model.is_file() or sha256_of(run.start_model) != sha256:
            part = run.start_model.with_suffix(".part")
            part.unlink(missing_ok=True)
            remote.download(there.names.start(sha256), part, took)
            if sha256_of(part) != sha256:
                part.unlink()
                raise CheckpointError("the model that it began with is damaged", where=str(run.start_model))
            part.replace(run.start_model)


def _attempt(remote: RemoteFolder, run: RunDir, there: There, token: int, files: tuple[str, ...]) -> None:
    """Events, as far as there are more of them than here; what the attempt was told, and how it ended."""
    attempt = run.attempt(token)
    attempt.path.mkdir(parents=True, exist_ok=True)
    for file, path in (("attempt.json", attempt.attempt_file), ("outcome.json", attempt.outcome_file)):
        if file in files and not path.exists():
            write_file(path, _read(remote, there, there.names.attempt(token, file)))
    parts = [file for file in files if file.startswith("events.")]  # sorted, as their numbers are padded
    known = sum(there.sizes[there.names.attempt(token, part)] for part in parts)
    here = attempt.events_file.stat().st_size if attempt.events_file.exists() else 0
    if known <= here:
        return
    temporary = attempt.events_file.with_name(f".events.{os.getpid()}.tmp")
    with temporary.open("wb") as out:
        for part in parts:
            out.write(_read(remote, there, there.names.attempt(token, part)))
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(attempt.events_file)


def _read(remote: RemoteFolder, there: There, name: str) -> bytes:
    """A small object. Raises CheckpointError where it is not small, FileNotFoundError."""
    if (size := there.sizes.get(name, 0)) > _SMALL:
        raise CheckpointError(f"it has {size:,} bytes, more than any of ours", where=f"{remote.url}/{name}")
    return remote.read(name)
