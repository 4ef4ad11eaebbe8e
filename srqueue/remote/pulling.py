"""What a job has left in the remote folder, brought to a machine that has none of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from srqueue.errors import DataError
from srqueue.remote.folder import RemoteFolder, unlimited
from srqueue.remote.layout import RESULTS
from srqueue.remote.sealed import sha256_of
from srqueue.remote.there import look
from srqueue.run.parsing import from_json

MOST_FILES = 100_000
LARGEST_LIST = 64 << 20
"""Bytes."""


@dataclass(frozen=True)
class Listed:
    """One file of a list: where it goes, relative to the folder, and what proves it."""

    path: str
    bytes: int
    sha256: str


def pull(
    remote: RemoteFolder, job_id: str, target: Path, took: Callable[[int], None] = unlimited
) -> list[Path]:
    """Brings the results of the newest attempt that left some; each file is verified, and goes on where it
    broke off.

    Raises DataError where there are none (yet), or a file is not what its list says; RemoteUnreachable.
    """
    name_of, files = newest_results(remote, job_id)
    return [bring(remote, name_of(file.path), file, target, took) for file in files]


def newest_results(remote: RemoteFolder, job_id: str) -> tuple[Callable[[str], str], list[Listed]]:
    """What the newest attempt that left results has left: the object of a path, and the list.

    Raises DataError where there are none, or the list does not hold; RemoteUnreachable.
    """
    there = look(remote, job_id)
    if not there.results:
        told = f"its newest checkpoint there is {there.newest}" if there.newest else "nothing of it is there"
        raise DataError(
            f"job {job_id} has no results in the remote folder: {told}",
            where=remote.url,
            hint="a job leaves them at its end, once all is uploaded",
        )
    token = there.results[-1]
    if there.sizes[there.names.result(token, RESULTS)] > LARGEST_LIST:
        raise DataError("the list of files is larger than any of ours", where=remote.url)
    listed = read_list(remote.read(there.names.result(token, RESULTS)), remote.url)
    return lambda path: there.names.result(token, path), listed


def bring(
    remote: RemoteFolder, name: str, file: Listed, target: Path, took: Callable[[int], None] = unlimited
) -> Path:
    """One file, whole and verified, at its place below `target`. Raises DataError, RemoteUnreachable."""
    path = target / file.path
    if path.is_file() and path.stat().st_size == file.bytes and sha256_of(path) == file.sha256:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        remote.download(name, part, took, file.bytes)
    except FileNotFoundError:
        raise DataError("a file of the list is not there", where=f"{remote.url}/{name}") from None
    except ValueError as error:
        raise DataError(str(error), where=f"{remote.url}/{name}") from None
    if part.stat().st_size != file.bytes or sha256_of(part) != file.sha256:
        part.unlink()
        raise DataError(
            "a file is not what the list says (SHA-256)",
            where=f"{remote.url}/{name}",
            hint="try again; where it stays so, upload it anew",
        )
    part.replace(path)
    return path


def read_list(text: bytes, where: str) -> list[Listed]:
    """Reads `{files: {path: {bytes, sha256}}}`. Raises DataError where a path would leave its folder."""
    raw = _mapping(text, where).get("files")
    if not isinstance(raw, dict) or len(raw) > MOST_FILES:
        raise DataError("the list of files does not hold", where=where)
    found = []
    for path, value in raw.items():
        try:
            found.append(Listed(safe_path(path), int(value["bytes"]), str(value["sha256"])))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(f"the list of files does not hold: {path!r}: {error}", where=where) from None
    return found


def safe_path(path: str) -> str:
    """`path` itself where it stays below any folder that it is joined to; ValueError otherwise."""
    pure = PurePosixPath(path)
    hidden = any(part in ("", ".", "..") or part.startswith(".") for part in path.split("/"))
    if pure.is_absolute() or hidden or "\\" in path or "\0" in path or len(path) > 1000:
        raise ValueError("a path that is not plainly below its folder")
    return path


def _mapping(text: bytes, where: str) -> dict[str, Any]:
    try:
        value = from_json(text)
    except ValueError as error:
        raise DataError(f"the list is not whole: {error}", where=where) from None
    if not isinstance(value, dict):
        raise DataError("the list is not whole", where=where)
    return value
