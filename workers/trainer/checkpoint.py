"""One checkpoint: an immutable folder that is whole or absent, and proves it by its hashes.

Order of the commit: payload, fsync; manifest with the payload's SHA-256, fsync; fsync of the folder; rename;
fsync of the parent. A crash at any point leaves the folder under its final name whole, or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from srqueue.errors import CheckpointError
from srqueue.run.atomic import fsync_dir
from srqueue.run.folder import CheckpointName
from srqueue.run.parsing import from_json
from workers.trainer.commit_points import reached
from workers.trainer.versions import check_known

PAYLOAD = "state.safetensors"
MANIFEST = "manifest.json"
MANIFEST_VERSION = 1
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


@dataclass(frozen=True)
class Manifest:
    """What is known about a checkpoint without its tensors.

    `parent`: the checkpoint before it; `data`: content identities of the data sets; `events_offset`: bytes
    of the attempt's events.jsonl that belong to it; `state`: RunState as JSON; `bytes`, `sha256`: of
    the payload; `trained`: network, scale, type of the optimizer and losses, for a run that goes on from
    another's (empty in checkpoints of early versions).
    """

    name: str
    parent: str | None
    spec_id: str
    data: dict[str, str | None]
    fingerprint: dict[str, Any]
    events_offset: int
    state: dict[str, Any]
    bytes: int = 0
    sha256: str = ""
    saved: float = 0.0
    v: int = MANIFEST_VERSION
    trained: dict[str, Any] = field(default_factory=dict)


def join(parts: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors by part and name as tensors by `<part>/<name>`; scalars as vectors of one."""
    return {
        f"{part}/{name}": t.reshape(-1) if t.dim() == 0 else t
        for part in parts
        for name, t in parts[part].items()
    }


def split(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The inverse of `join`, but for the scalars."""
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        part, _, name = key.partition("/")
        parts.setdefault(part, {})[name] = tensor
    return parts


def commit(checkpoints: Path, tensors: dict[str, Tensor], manifest: Manifest) -> int:
    """Writes a checkpoint; bytes written. OSError (a full disk, a failed sync) leaves nothing behind.

    After a failed sync nobody knows what is on the disk: the folder is given up, and nothing is synced again.
    """
    temporary = checkpoints / f"tmp-{manifest.name}"
    shutil.rmtree(temporary, ignore_errors=True)
    reached("begun")
    try:
        temporary.mkdir()
        size, sha256 = _write_payload(temporary / PAYLOAD, tensors)
        body = asdict(manifest) | {"bytes": size, "sha256": sha256, "saved": round(time.time(), 3)}
        text = json.dumps({"digest": digest_of(body), **body}, indent=1, allow_nan=False).encode()
        _write_manifest(temporary / MANIFEST, text)
        fsync_dir(temporary)
        reached("folder synced")
        temporary.rename(checkpoints / manifest.name)
        reached("renamed")
        fsync_dir(checkpoints)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        remove(checkpoints / manifest.name)
        raise
    reached("committed")
    return size + len(text)


def read(folder: Path) -> tuple[Manifest, dict[str, Tensor]]:
    """A checkpoint's manifest and tensors (on the CPU). Raises CheckpointError unless every byte is right.

    OSError where it cannot be read now, which says nothing of what is in it.
    """
    manifest = read_manifest(folder)
    payload = folder / PAYLOAD
    try:
        size = payload.stat().st_size
        if size != manifest.bytes:
            raise CheckpointError(f"{size} bytes of {manifest.bytes}", where=str(folder))
        with payload.open("rb") as file:
            if _sha256(file) != manifest.sha256:
                raise CheckpointError("the payload's SHA-256 is wrong", where=str(folder))
            # The file may be mapped, and it may go while its tensors are in use.
            return manifest, {name: t.clone() for name, t in safetensors.torch.load_file(payload).items()}
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CheckpointError(f"no payload: {error.strerror}", where=str(folder)) from None


def read_manifest(folder: Path) -> Manifest:
    """A checkpoint's manifest. Raises CheckpointError where it is missing, damaged or of another folder,
    NewerVersion where it is whole and says more than this version knows."""
    try:
        body: dict[str, Any] = from_json((folder / MANIFEST).read_bytes())
        digest = body.pop("digest")
        if digest == digest_of(body):  # else it is no field, but damage
            check_known(body, Manifest, MANIFEST_VERSION)
        manifest = Manifest(**body)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CheckpointError(f"no manifest: {error.strerror}", where=str(folder)) from None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"the manifest is not whole: {error}", where=str(folder)) from None
    if digest != digest_of(body):
        raise CheckpointError("the manifest's SHA-256 is wrong", where=str(folder))
    if manifest.name != folder.name:
        raise CheckpointError(f"the manifest is of {manifest.name}", where=str(folder))
    return manifest


def set_aside(folder: Path) -> Path:
    """Renames a damaged checkpoint to `bad-...`, so that it is kept but never chosen again."""
    target = folder.with_name(f"bad-{folder.name}")
    number = 1
    while target.exists():
        number += 1
        target = folder.with_name(f"bad-{folder.name}-{number}")
    folder.rename(target)
    fsync_dir(folder.parent)
    return target


def remove(folder: Path) -> None:
    """Deletes a checkpoint, the manifest first: what is left of a crash here is no checkpoint."""
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def expendable(
    names: list[CheckpointName],
    total_iter: int,
    best_iteration: int,
    needed: Iterable[CheckpointName] = (),
    keep_last: int = 3,
) -> list[CheckpointName]:
    """Which of a run's checkpoints may go. `names` are in order, oldest first.

    Kept are the last three, the best one, the first at or after each tenth of the run, and those `needed`.
    """
    kept = {*names[-keep_last:], *needed, *[n for n in names if n.iteration == best_iteration]}
    seen = {0}
    for name in names:
        tenth = name.iteration * 10 // total_iter
        if tenth not in seen:
            seen.add(tenth)
            kept.add(name)
    return [name for name in names if name not in kept]


def digest_of(body: dict[str, Any]) -> str:
    """SHA-256 of a manifest without its digest."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _write_payload(path: Path, tensors: dict[str, Tensor]) -> tuple[int, str]:
    """(bytes, SHA-256). Never holds a second copy of what lies on the CPU already."""
    host = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    try:
        safetensors.torch.save_file(host, path)
    except SafetensorError as error:
        raise _as_os_error(error) from error
    path.chmod(path.parent.stat().st_mode & 0o666)  # the library leaves it to its owner alone
    reached("payload written")
    with path.open("rb") as file:
        os.fsync(file.fileno())
        reached("payload synced")
        return os.fstat(file.fileno()).st_size, _sha256(file)


def _write_manifest(path: Path, text: bytes) -> None:
    with path.open("wb") as file:
        file.write(text)
        file.flush()
        reached("manifest written")
        os.fsync(file.fileno())
    reached("manifest synced")


def _sha256(file: BufferedReader) -> str:
    """Of the file from where it stands, by parts: never the whole of it in memory."""
    return hashlib.file_digest(file, "sha256").hexdigest()


def _as_os_error(error: SafetensorError) -> Exception:
    """The library tells an error of the operating system in words alone."""
    match = _OS_ERROR.search(str(error))
    return OSError(int(match[1]), os.strerror(int(match[1]))) if match else error
