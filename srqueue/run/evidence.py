"""What a run folder can say about why its job stands where it does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srqueue.run.events import read_events
from srqueue.run.folder import AttemptDir, RunDir
from srqueue.run.outcome import Outcome

LAST_LINES = 12
_LOG_BYTES = 8192
_DECISIONS = 3


@dataclass(frozen=True)
class AttemptEvidence:
    """One attempt by its folder. `outcome`: None where its process was ended; `begun`: UTC s."""

    token: int
    begun: float
    resumed: str | None
    outcome: Outcome | None
    host: str | None
    reached: int
    warnings: tuple[str, ...]
    last_lines: tuple[str, ...]
    log: Path


@dataclass(frozen=True)
class Evidence:
    """A run folder. `saved`: age of the newest checkpoint in seconds (None: there is none)."""

    run: Path
    attempts: tuple[AttemptEvidence, ...]
    newest: str | None = None
    saved: float | None = None
    set_aside: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()
    decided: int = 0
    bad_pictures: tuple[str, ...] = ()
    total_iter: int = 0
    name: str = ""


def gather(run: RunDir, now: float) -> Evidence | None:
    """What lies in a run folder at `now` (UTC s); None where it cannot be read here."""
    try:
        if not run.path.is_dir():
            return None
        names = run.checkpoint_names()
        newest = run.checkpoints / str(names[-1]) if names else None
        state = _state(newest) if newest else {}
        spec = _json(run.spec_file)
        decisions = state.get("decisions", [])
        return Evidence(
            run=run.path,
            attempts=tuple(_attempt(attempt) for attempt in run.attempts()),
            newest=newest.name if newest else None,
            saved=max(0.0, now - newest.stat().st_mtime) if newest else None,
            set_aside=tuple(sorted(p.name for p in run.checkpoints.glob("bad-*"))),
            decisions=tuple(
                f"iteration {d['iteration']}: {d['by']} {d['did']} ({d['reason']})"
                for d in decisions[-_DECISIONS:]
            ),
            decided=len(decisions),
            bad_pictures=tuple(state.get("bad_pictures", ())),
            total_iter=int(spec.get("train", {}).get("total_iter", 0)),
            name=str(spec.get("name", run.job_id)),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _attempt(attempt: AttemptDir) -> AttemptEvidence:
    noted = attempt.read()
    reached, warnings = 0, []
    for event, _ in read_events(attempt.events_file):
        reached = event.it
        if event.kind == "message" and event.data.get("level") in ("warning", "error"):
            warnings.append(str(event.data.get("text")))
    return AttemptEvidence(
        token=attempt.token,
        begun=attempt.attempt_file.stat().st_mtime,
        resumed=noted.get("resume"),
        outcome=Outcome.read(attempt.outcome_file),
        host=noted.get("host"),
        reached=reached,
        warnings=tuple(warnings),
        last_lines=_last_lines(attempt.log_file),
        log=attempt.log_file,
    )


def _state(checkpoint: Path) -> dict[str, Any]:
    """The state in a checkpoint's manifest; it is not verified here."""
    value = _json(checkpoint / "manifest.json").get("state")
    return value if isinstance(value, dict) else {}


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _last_lines(log: Path) -> tuple[str, ...]:
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _LOG_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ()
    return tuple(line for line in text.splitlines() if line.strip())[-LAST_LINES:]
