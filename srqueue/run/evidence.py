"""What a run folder can say about why its job stands where it does. Bounded: of long files only both ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srqueue.run.atomic import read_object
from srqueue.run.events import Event, read_events
from srqueue.run.folder import AttemptDir, CheckpointName, RunDir
from srqueue.run.outcome import Outcome

LAST_LINES = 12
ATTEMPTS_READ = 20
"""The newest; the others are only counted."""
_LOG_BYTES = 8192
_HEAD_BYTES, _TAIL_BYTES = 1 << 16, 1 << 19
_DECISIONS = 3


@dataclass(frozen=True)
class AttemptEvidence:
    """One attempt by its folder. Times are UTC s.

    `resumed`: the checkpoint it went on from; `outcome`: None where its process was ended; `reached`:
    iteration of its newest event; `changed`: what of the numerics fingerprint differs from before, in words;
    `alive`: its last sign of life; `device`: what it trains on.
    """

    token: int
    begun: float
    resumed: str | None = None
    outcome: Outcome | None = None
    host: str | None = None
    device: str | None = None
    reached: int = 0
    warnings: tuple[str, ...] = ()
    changed: str | None = None
    last_lines: tuple[str, ...] = ()
    log: Path = Path("log")
    alive: float | None = None


@dataclass(frozen=True)
class Evidence:
    """A run folder. `saved`: age of the newest checkpoint in seconds (None: there is none)."""

    run: Path
    attempts: tuple[AttemptEvidence, ...] = ()
    attempts_made: int = 0
    newest: CheckpointName | None = None
    saved: float | None = None
    set_aside: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()
    decided: int = 0
    bad_pictures: tuple[str, ...] = ()
    total_iter: int = 0
    name: str = ""
    removed: bool = False

    def attempt(self, token: int) -> AttemptEvidence | None:
        """The attempt of that token, where it is among those that were read."""
        return next((a for a in self.attempts if a.token == token), None)


def gather(run: RunDir, now: float) -> Evidence | None:
    """What lies in a run folder at `now` (UTC s); None where it cannot be read here."""
    try:
        if not run.path.is_dir():
            return None
        names, attempts = run.checkpoint_names(), run.attempts()
        newest = names[-1] if names else None
        state = _state(run.checkpoints / str(newest)) if newest else {}
        spec = read_object(run.spec_file)
        decisions = [d for d in state.get("decisions") or () if isinstance(d, dict)]
        return Evidence(
            run=run.path,
            attempts=tuple(_attempt(attempt) for attempt in attempts[-ATTEMPTS_READ:]),
            attempts_made=len(attempts),
            newest=newest,
            saved=_age(run.checkpoints / str(newest), now) if newest else None,
            set_aside=tuple(sorted(p.name for p in run.checkpoints.glob("bad-*"))),
            decisions=tuple(
                f"iteration {d.get('iteration')}: {d.get('by')} {d.get('did')} ({d.get('reason')})"
                for d in decisions[-_DECISIONS:]
            ),
            decided=len(decisions),
            bad_pictures=tuple(map(str, state.get("bad_pictures") or ())),
            total_iter=int(spec.get("train", {}).get("total_iter", 0)),
            name=str(spec.get("name", run.job_id)),
            removed=run.removed_file.exists(),
        )
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ):  # gone meanwhile, or of another version
        return None


def _attempt(attempt: AttemptDir) -> AttemptEvidence:
    noted = attempt.read()
    reached, warnings, changed = 0, [], None
    begun = _changed(attempt.attempt_file) or _changed(attempt.path) or time.time()
    resumed = noted.get("resume")
    for event in _ends(attempt.events_file):
        reached, data = event.it, event.data
        begun = min(begun, event.t)
        if event.kind == "message" and data.get("level") in ("warning", "error"):
            warnings.append(str(data.get("text")))
        elif event.kind == "fingerprint" and isinstance(data.get("changed"), dict) and data["changed"]:
            changed = ", ".join(f"{key} {_arrow(pair)}" for key, pair in data["changed"].items())
        elif event.kind == "phase" and data.get("phase") == "restored":
            # Another than was asked for, where that one was damaged.
            resumed = str(CheckpointName(int(data["seq"]), event.it, int(data["from_token"])))
    return AttemptEvidence(
        token=attempt.token,
        begun=begun,
        resumed=resumed,
        outcome=Outcome.read(attempt.outcome_file),
        host=noted.get("host"),
        device=noted.get("device"),
        reached=reached,
        warnings=tuple(dict.fromkeys(warnings)),
        changed=changed,
        last_lines=_last_lines(attempt.log_file),
        log=attempt.log_file,
        alive=_changed(attempt.beat_file),
    )


def _ends(file: Path) -> Iterator[Event]:
    """The first events of an attempt and the last ones; of a short file all."""
    try:
        size = file.stat().st_size
    except OSError:
        return
    end = 0
    for event, offset in read_events(file, 0, _HEAD_BYTES):
        end = offset
        yield event
    for event, _ in read_events(file, max(end, size - _TAIL_BYTES)):  # a line that is cut is no event
        yield event


def _arrow(pair: Any) -> str:
    return " -> ".join(map(str, pair)) if isinstance(pair, list) else str(pair)


def _changed(path: Path) -> float | None:
    """When a file or folder changed last, UTC s."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _age(path: Path, now: float) -> float:
    return max(0.0, now - (_changed(path) or now))


def _state(checkpoint: Path) -> dict[str, Any]:
    """The state in a checkpoint's manifest; it is not verified here."""
    value = read_object(checkpoint / "manifest.json").get("state")
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
