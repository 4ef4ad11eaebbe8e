"""Which trainings a report is about: jobs, campaigns, run folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from srqueue.errors import ServiceUnreachable, UsageError
from srqueue.report.folders import from_folder
from srqueue.report.page import MOST_PICTURED
from srqueue.report.stored import folder_here, from_store
from srqueue.report.subject import Subject
from srqueue.run.folder import RunDir
from srqueue.settings import Settings
from srqueue.store.record import JobRecord
from srqueue.store.store import Store

MOST_JOBS = 500
"""Of one report."""
_AT_ONCE = 200


@dataclass(frozen=True)
class Found:
    """A training that was asked for, and its run folder where that is on this machine."""

    subject: Subject
    run: RunDir | None


def find(refs: Sequence[str], settings: Settings) -> tuple[str, list[Found]]:
    """(title, trainings) of ids, names, campaigns and paths of run folders; each training once.

    Raises UsageError where one of them is nothing, ServiceUnreachable where Redis is needed and away.
    """
    found: dict[str, Found] = {}
    store: Store | None = None
    for ref in refs:
        if is_path(ref):
            run = RunDir(Path(ref).absolute())
            found[str(run.path)] = Found(from_folder(run), run)
            continue
        store = store or _connect(settings)
        for record in _records(store, ref):
            if record.id not in found:
                pictures = len(found) < MOST_PICTURED
                found[record.id] = Found(from_store(store, record, pictures), folder_here(record))
            if len(found) > MOST_JOBS:
                raise UsageError(
                    f"more than {MOST_JOBS} jobs in one report", where=ref, hint="name the jobs that matter"
                )
    return _title(refs, [f.subject for f in found.values()]), list(found.values())


def is_path(ref: str) -> bool:
    """Whether it names a run folder, and Redis is not asked."""
    return "/" in ref or Path(ref).joinpath("spec.json").is_file()


def _title(refs: Sequence[str], subjects: Sequence[Subject]) -> str:
    if len(subjects) == 1:
        return subjects[0].label
    return refs[0] if len(refs) == 1 else f"{len(subjects)} trainings compared"


def _connect(settings: Settings) -> Store:
    try:
        return Store.connect(settings)
    except ServiceUnreachable as error:
        hint = f"a run folder can be reported without Redis: srqueue report {settings.runs_root}/ID"
        raise ServiceUnreachable(
            error.message, where=error.where, hint="; ".join(filter(None, [error.hint, hint]))
        ) from error


def _records(store: Store, ref: str) -> Iterable[JobRecord]:
    """The job of that name, or the jobs of the campaign of that name, oldest first."""
    try:
        return [store.get(store.resolve(ref))]
    except UsageError:
        if not (count := store.count(campaign=ref)):
            raise
    if count > MOST_JOBS:
        raise UsageError(f"campaign {ref} has {count:,} jobs, one report at most {MOST_JOBS}", where=ref)
    pages = (store.list(limit=_AT_ONCE, offset=at, campaign=ref) for at in range(0, count, _AT_ONCE))
    return reversed([record for page in pages for record in page])
