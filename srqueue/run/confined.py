"""Whether a folder that a record names is a run folder: a record may say anything."""

from __future__ import annotations

import os
import re
from pathlib import Path

from srqueue.run.atomic import read_object
from srqueue.run.folder import RunDir

REMOTE_FILE = "remote.json"
"""In a runs root: `{url, root_id}` of the remote folder whose run folders come there."""
_JOB_ID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z", re.ASCII)


def is_job_id(text: str) -> bool:
    """Whether it is a ULID as we write it, so that it can be the name of a folder."""
    return _JOB_ID.match(text) is not None


def confined_run(job_id: str, run_dir: str | None, root_id: str | None) -> RunDir | None:
    """The run folder of a job where it is on this machine; None where it is not, is none, or may not be read.

    It bears the job's id, is no link, and lies in a runs root: a folder whose `root_id` file, or what is
    noted there of its remote folder, says what the record says. Who can write to Redis alone can make no such
    file, so no other folder is read.
    """
    if run_dir is None or not root_id or not is_job_id(job_id):
        return None
    path = Path(run_dir)
    if not path.is_absolute() or path.name != job_id or ".." in path.parts:
        return None
    if not os.access(path, os.R_OK | os.X_OK) or path.is_symlink() or not path.is_dir():
        return None
    return RunDir(path) if root_id in _roots(path.parent) else None


def _roots(folder: Path) -> tuple[object, ...]:
    remote = read_object(folder / REMOTE_FILE).get("root_id")
    try:
        return (folder / "root_id").read_text(encoding="ascii").strip(), remote
    except (OSError, ValueError):
        return (remote,)
