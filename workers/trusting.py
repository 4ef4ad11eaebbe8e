"""What a worker trusts of a record: who can write to Redis alone makes it read and train nothing."""

from __future__ import annotations

from pathlib import Path

from srqueue.run.confined import is_job_id
from srqueue.store.record import JobRecord
from srqueue.store.signing import Keyring

_HINT = "where it is yours: srqueue signing sign {job}, then srqueue retry {job}"


def is_job(record: JobRecord, runs_root: Path) -> bool:
    """Whether its id can be the name of a folder, and its folder is the one of that name below the root."""
    return is_job_id(record.id) and record.run_dir == str(runs_root / record.id)


def untrusted(record: JobRecord, keyring: Keyring) -> str | None:
    """Why its spec is not trained, in words; None where it may be."""
    why = keyring.wrong_with_job(record, record.signature)
    return why and f"{why}; {_HINT.format(job=record.short_id)}"
