"""Where a job's run folder is on this machine. A record may say anything: who reads files asks here."""

from __future__ import annotations

from pathlib import Path

from srqueue.run.confined import confined_run
from srqueue.run.folder import RunDir
from srqueue.store.record import JobRecord


def run_of(record: JobRecord) -> RunDir | None:
    """The run folder of a job; None where it is not on this machine, or what the record names is none."""
    return confined_run(record.id, record.run_dir, record.root_id)


def not_read(record: JobRecord) -> str | None:
    """Why a folder that is there is left alone, in words; None where it is read, or not there."""
    if record.run_dir is None or run_of(record) is not None or not Path(record.run_dir).is_dir():
        return None
    return (
        f"{record.run_dir} is not read: it is no run folder of job {record.short_id} in a runs root whose "
        "root_id the record names"
    )
