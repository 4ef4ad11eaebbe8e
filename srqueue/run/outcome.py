"""What the trainer leaves behind when it ends by itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from srqueue.run.atomic import write_json
from srqueue.run.parsing import from_json
from srqueue.run.reasons import StopReason

OUTCOME_VERSION = 1


@dataclass(frozen=True)
class Outcome:
    """Why an attempt ended and where it stood.

    `iteration`: optimizer steps done; `seq`: its newest checkpoint; `metrics`: last and best values by metric
    key (dB, or 0..1 for SSIM); `export`: path of the model, relative to the run folder.
    """

    reason: StopReason
    message: str
    iteration: int
    seq: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    export: str | None = None
    v: int = OUTCOME_VERSION

    def write(self, path: Path) -> None:
        """Writes the outcome whole or not at all."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Outcome | None:
        """The outcome at `path`, or None where there is none, or it is not whole or of another version."""
        try:
            raw: dict[str, Any] = from_json(path.read_text())
            if raw["v"] != OUTCOME_VERSION:
                return None
            known = {key: value for key, value in raw.items() if key in cls.__dataclass_fields__}
            return cls(**{**known, "reason": StopReason(raw["reason"]), "iteration": int(raw["iteration"])})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
            return None


def first_line(message: str) -> str:
    """What a message of several lines says first, without the announcement of the others."""
    return next(iter(message.splitlines()), "").removesuffix(":").removesuffix("; its last lines")
