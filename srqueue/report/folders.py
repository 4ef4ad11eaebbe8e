"""A Subject out of a run folder, without Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from srqueue.curves import History, history
from srqueue.errors import UsageError
from srqueue.forecast.kept import forecasts_of
from srqueue.report.energy import Energy, energy_of
from srqueue.report.gallery import gallery_of
from srqueue.report.sources import fingerprints, newest_figures, numbers
from srqueue.report.subject import Subject, Try
from srqueue.run.atomic import read_object
from srqueue.run.card import JobCard
from srqueue.run.events import Event, read_events
from srqueue.run.evidence import AttemptEvidence, gather
from srqueue.run.folder import CheckpointName, RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import CONSEQUENCES
from srqueue.run.scores import read_scores
from srqueue.spec.job import JobSpec, spec_id


@dataclass(frozen=True)
class Trained:
    """What a run folder holds of figures."""

    history: History
    figures: dict[str, float]
    fingerprints: list[Any]
    energy: Energy | None


def trained(run: RunDir) -> Trained:
    """Curves and figures of a run folder."""
    events = list(run.events())
    curves = history(events)
    exported = read_object(run.export / "metrics.json").get("metrics")
    figures = newest_figures(curves) | numbers(exported if isinstance(exported, dict) else {})
    return Trained(curves, figures, fingerprints(events), energy_of(_every_event(run), _power(run)))


def from_folder(run: RunDir) -> Subject:
    """The training of a run folder. Raises UsageError where it is none."""
    evidence = gather(run, time.time()) if run.spec_file.is_file() else None
    if evidence is None:
        raise UsageError("this is no run folder", where=str(run.path), hint="name a job: srqueue ls --all")
    spec, found = _spec(run), trained(run)
    last = evidence.attempts[-1] if evidence.attempts else None
    outcome = last.outcome if last else None
    return Subject(
        id=run.job_id,
        name=evidence.name,
        state=str(CONSEQUENCES[outcome.reason].next_state) if outcome else "not ended",
        reason=str(outcome.reason) if outcome else "",
        message=outcome.message if outcome else "",
        spec=spec,
        origins=_origins(run),
        spec_id=_spec_id(run),
        history=found.history,
        figures=found.figures | numbers(outcome.metrics if outcome else {}),
        tries=[_try(a) for a in evidence.attempts],
        fingerprints=found.fingerprints,
        energy=found.energy,
        gallery=gallery_of(run),
        scores=read_scores(run),
        forecasts=forecasts_of(run),
    )


def _power(run: RunDir) -> dict[str, Any]:
    """What the newest attempt was told that a kWh costs."""
    attempts = run.attempts()
    found = attempts[-1].read().get("power") if attempts else None
    return found if isinstance(found, dict) else {}


def _every_event(run: RunDir) -> Iterator[Event]:
    """Those of all attempts, also what was trained again."""
    for attempt in run.attempts():
        for event, _ in read_events(attempt.events_file):
            yield event


def _try(found: AttemptEvidence) -> Try:
    outcome: Outcome | None = found.outcome
    resumed = CheckpointName.parse(found.resumed or "")
    return Try(
        token=found.token,
        where=found.host or "",
        device=found.device or "",
        begun=found.begun,
        ended=_changed(found.log.with_name("outcome.json")) if outcome else None,
        from_iteration=resumed.iteration if resumed else 0,
        iteration=outcome.iteration if outcome else found.reached,
        reason=str(outcome.reason) if outcome else "",
        message=outcome.message if outcome else "",
    )


def _spec(run: RunDir) -> dict[str, Any]:
    """With every `auto` decided, where that was done."""
    return read_object(run.resolved_file) or read_object(run.spec_file)


def _spec_id(run: RunDir) -> str:
    try:
        return spec_id(JobSpec.model_validate(read_object(run.spec_file)))
    except ValidationError:  # of another version
        return ""


def _origins(run: RunDir) -> dict[str, str]:
    try:
        card = JobCard.read(run.card_file)
    except (OSError, ValueError, TypeError):
        card = None
    return dict(card.origins) if card else {}


def _changed(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
