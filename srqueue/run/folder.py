"""The run folder of a job: every file name comes from here.

runs/<job_id>/
  spec.json  spec.resolved.json  job.json  brought  removed  lock  reserve
  attempts/<token>/{attempt.json, events.jsonl, log, beat, outcome.json}
  checkpoints/ckpt-<seq>-it<iteration>-t<token>/{state.safetensors, manifest.json}
  pictures/{pictures.json, <crop>/{bicubic, original, it<iteration>}.png}
  forecasts.jsonl  export/  report.html  tensorboard/
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srqueue.errors import UsageError
from srqueue.run.atomic import write_file, write_json
from srqueue.run.events import Event, read_events

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_CHECKPOINT = re.compile(r"ckpt-(\d+)-it(\d+)-t(\d+)\Z")


def check_name(name: str, what: str) -> str:
    """`name` itself where it may become a file name: letters, digits, `.`, `_`, `-`, 1 to 64, no leading dot.

    Raises UsageError otherwise, so that no name can leave its folder.
    """
    if not _SAFE_NAME.match(name):
        raise UsageError(
            f"{name!r} cannot be the name of {what}",
            hint="use 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit",
        )
    return name


@dataclass(frozen=True)
class CheckpointName:
    """What the name of a checkpoint folder says. Ordered by (token, seq)."""

    seq: int
    iteration: int
    token: int

    def __str__(self) -> str:
        return f"ckpt-{self.seq:06d}-it{self.iteration}-t{self.token}"

    @property
    def order(self) -> tuple[int, int]:
        """Sort key: a later attempt's checkpoint stands above any of an earlier one."""
        return (self.token, self.seq)

    @classmethod
    def parse(cls, name: str) -> CheckpointName | None:
        """The parts of a folder name, or None where it is not a checkpoint's."""
        match = _CHECKPOINT.match(name)
        return cls(int(match[1]), int(match[2]), int(match[3])) if match else None


@dataclass(frozen=True)
class AttemptDir:
    """The folder of one attempt."""

    path: Path

    @property
    def token(self) -> int:
        """Fencing token of this attempt."""
        return int(self.path.name)

    @property
    def attempt_file(self) -> Path:
        """`{token, resume, ...}`, written by the supervisor before the trainer starts."""
        return self.path / "attempt.json"

    @property
    def events_file(self) -> Path:
        """Event lines."""
        return self.path / "events.jsonl"

    @property
    def log_file(self) -> Path:
        """What the trainer printed."""
        return self.path / "log"

    @property
    def beat_file(self) -> Path:
        """Changes while the trainer lives (workers.trainer.heart)."""
        return self.path / "beat"

    @property
    def outcome_file(self) -> Path:
        """Why it ended; absent where the process was killed."""
        return self.path / "outcome.json"

    def read(self) -> dict[str, Any]:
        """The content of attempt.json; empty where there is none."""
        try:
            value = json.loads(self.attempt_file.read_text())
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class RunDir:
    """The folder of one job."""

    path: Path

    @property
    def job_id(self) -> str:
        """The job's id: the folder's name."""
        return self.path.name

    @property
    def spec_file(self) -> Path:
        """The JobSpec as submitted."""
        return self.path / "spec.json"

    @property
    def resolved_file(self) -> Path:
        """The spec with every `auto` decided on the first machine that ran it."""
        return self.path / "spec.resolved.json"

    @property
    def brought_file(self) -> Path:
        """There where spec.json or job.json came from a remote folder: nobody signs by them."""
        return self.path / "brought"

    @property
    def start_file(self) -> Path:
        """Which job's model it began with, where `path.pretrain_jobs` left that open."""
        return self.path / "start.json"

    @property
    def start_model(self) -> Path:
        """That model, as it was then."""
        return self.path / "start.safetensors"

    @property
    def card_file(self) -> Path:
        """What the queue knows of the job (see JobCard); none in a folder that no worker made."""
        return self.path / "job.json"

    @property
    def removed_file(self) -> Path:
        """There where the job was removed from the queue and its files were kept."""
        return self.path / "removed"

    @property
    def lock_file(self) -> Path:
        """Held (flock) by the one trainer that works here."""
        return self.path / "lock"

    @property
    def reserve_file(self) -> Path:
        """Held by a running trainer so that it can say how it ended where the disk is full."""
        return self.path / "reserve"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def export(self) -> Path:
        """Model, pictures, metrics.json."""
        return self.path / "export"

    @property
    def pictures(self) -> Path:
        """The same crops at each validation, see srqueue.run.pictures."""
        return self.path / "pictures"

    @property
    def forecasts_file(self) -> Path:
        """Each forecast that was made of the run, with what it was made from: one JSON object a line."""
        return self.path / "forecasts.jsonl"

    @property
    def report(self) -> Path:
        """The job as one HTML file, made at its end."""
        return self.path / "report.html"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's event files, made beside the report."""
        return self.path / "tensorboard"

    @property
    def compiled(self) -> Path:
        """What a compiler made for this job, for its next attempt; gone with its end."""
        return self.path / "compiled"

    def create(self) -> RunDir:
        """Makes the folders that must be there before an attempt."""
        for folder in (self.path, self.path / "attempts", self.checkpoints, self.export):
            folder.mkdir(parents=True, exist_ok=True)
        return self

    def attempt(self, token: int) -> AttemptDir:
        """The folder of one attempt (not made)."""
        return AttemptDir(self.path / "attempts" / str(token))

    def attempts(self) -> list[AttemptDir]:
        """All attempts, oldest token first."""
        folder = self.path / "attempts"
        if not folder.is_dir():
            return []
        found = [AttemptDir(p) for p in folder.iterdir() if p.name.isdigit() and p.is_dir()]
        return sorted(found, key=lambda a: a.token)

    def highest_token(self) -> int:
        """The highest fencing token this folder has seen, 0 for none."""
        attempts = self.attempts()
        named = [name.token for name in self.checkpoint_names()]
        return max([attempts[-1].token if attempts else 0, *named])

    def checkpoint_names(self) -> list[CheckpointName]:
        """Checkpoint folders by (token, seq), oldest first; none is verified here."""
        if not self.checkpoints.is_dir():
            return []
        names = (CheckpointName.parse(p.name) for p in self.checkpoints.iterdir() if p.is_dir())
        return sorted((n for n in names if n is not None), key=lambda n: n.order)

    def write_attempt(self, token: int, resume: CheckpointName | None, **more: Any) -> AttemptDir:
        """Makes an attempt's folder and says where it goes on from."""
        attempt = self.attempt(token)
        attempt.path.mkdir(parents=True, exist_ok=True)
        write_json(
            attempt.attempt_file,
            {"token": token, "resume": str(resume) if resume else None, **more},
        )
        return attempt

    def events(self) -> Iterator[Event]:
        """The job's history without doubles.

        Each attempt says in its `restored` event which attempt's events it goes on from, and up to which
        byte; what came after that byte was trained again and is left out.
        """
        begun = {a.token: r for a in self.attempts() if (r := _restored(a)) is not None}
        lineage: list[tuple[int, int | None]] = []
        token, end = max(begun, default=0), None
        while token in begun:
            lineage.append((token, end))
            token, end = begun[token]
        for token, end in reversed(lineage):
            for event, _ in read_events(self.attempt(token).events_file, end=end):
                yield event


def _restored(attempt: AttemptDir) -> tuple[int, int] | None:
    """(token, byte offset) that an attempt went on from; (0, 0) for a start; None before it began."""
    for event, _ in read_events(attempt.events_file):
        if event.kind == "phase" and event.data.get("phase") in ("started", "restored"):
            return int(event.data.get("from_token", 0)), int(event.data.get("from_offset", 0))
    return None


def read_root_id(runs_root: Path) -> str:
    """The random id of a runs root, made at first use: tells two machines' folders apart."""
    file = runs_root / "root_id"
    runs_root.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        write_file(file, (secrets.token_hex(8) + "\n").encode())
    return file.read_text().strip()
