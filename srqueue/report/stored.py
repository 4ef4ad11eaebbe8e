"""Subjects out of Redis; what only a run folder has comes from there, where it is on this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any

from srqueue.curves import history
from srqueue.forecast.kept import forecasts_of
from srqueue.report.energy import energy_of
from srqueue.report.folders import trained
from srqueue.report.gallery import gallery_of, stored_gallery
from srqueue.report.sources import fingerprints, newest_figures, numbers, parsed
from srqueue.report.subject import Subject, Try
from srqueue.run.folder import RunDir
from srqueue.run.scores import read_scores
from srqueue.store.attempts import AttemptRecord
from srqueue.store.reader import Reader
from srqueue.store.record import JobRecord
from srqueue.store.run_folders import run_of
from srqueue.store.scores import stored_scores


def from_store(store: Reader, record: JobRecord, pictures: bool = True) -> Subject:
    """A job of the queue. Raises ServiceUnreachable without Redis. `pictures`: whether they are wanted."""
    run, remarks = folder_here(record), []
    if run is not None:
        found = trained(run)
        curves, figures, prints = found.history, found.figures, found.fingerprints
        energy, gallery = found.energy, gallery_of(run) if pictures else None
        resolved, scores = _resolved(run), read_scores(run)
    else:
        events = parsed([line for _, line in _lines(store, record.id)])
        curves, prints = history(events), fingerprints(events)
        energy = energy_of(events, store.connection.settings.power)
        figures, resolved = newest_figures(curves), {}
        scores = stored_scores(store.connection, [record.id]).get(record.id)
        gallery = stored_gallery(store, record.id) if pictures else None
        if record.run_dir is not None:
            remarks.append(
                f"its run folder is on {record.host or 'another machine'} ({record.run_dir}): curves and "
                "pictures are what Redis has of it, thinned, and without what its export alone has"
            )
    more = {} if gallery is None else {"gallery": gallery}
    return Subject(
        id=record.id,
        name=record.name,
        state=str(record.state),
        reason=str(record.reason or ""),
        message=record.message or "",
        spec=resolved or record.spec,
        origins=record.origins,
        spec_id=record.spec_id,
        history=curves,
        figures=figures | numbers(record.metrics),
        tries=[_try(a) for a in store.attempts(record.id)],
        fingerprints=prints,
        energy=energy,
        scores=scores,
        remarks=remarks,
        forecasts=forecasts_of(run) if run is not None else _newest(record),
        **more,
    )


def folder_here(record: JobRecord) -> RunDir | None:
    """The run folder of a job where it is on this machine."""
    if record.host not in (None, socket.gethostname()):
        return None
    run = run_of(record)
    return run if run and run.spec_file.is_file() else None


def _newest(record: JobRecord) -> tuple[Mapping[str, Any], ...]:
    """The forecast that its record has."""
    told = record.progress.get("forecast")
    return (told,) if isinstance(told, dict) else ()


def _resolved(run: RunDir) -> dict[str, object]:
    import json

    try:
        value = json.loads(run.resolved_file.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _lines(store: Reader, job_id: str) -> Iterator[tuple[str, str]]:
    position = "0-0"
    while batch := store.events(job_id, after=position):
        yield from batch
        position = batch[-1][0]


def _try(attempt: AttemptRecord) -> Try:
    return Try(
        token=attempt.token,
        where=f"{attempt.worker} on {attempt.host}",
        begun=attempt.begun,
        ended=attempt.ended,
        from_iteration=attempt.from_iteration,
        iteration=attempt.iteration,
        reason=str(attempt.reason or ""),
        message=attempt.message or "",
    )
