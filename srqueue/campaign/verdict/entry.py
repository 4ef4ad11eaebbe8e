"""Entry: one cell of a campaign and what came out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from srqueue.run.scores import Scores

SUCCEEDED = "succeeded"
_DIGITS = 12


@dataclass(frozen=True, kw_only=True)
class Entry:
    """`axes`: what tells the cell from the others of its stage; `choices`: its preset, data set and network,
    also where all of its stage have the same. dB, 0..1 for SSIM, seconds of training; None
    where nothing is known (yet). `data`: the training set, (name, content identity)."""

    id: str
    name: str
    stage: str
    axes: Mapping[str, Any]
    choices: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    state: str = SUCCEEDED
    reason: str = ""
    message: str = ""
    psnr: float | None = None
    ssim: float | None = None
    bicubic_psnr: float | None = None
    seconds: float | None = None
    iterations: int = 0
    total_iter: int = 0
    data: tuple[str, str] = ("", "")
    validated: tuple[str, ...] = ("nothing",)
    validated_text: str = "nothing"
    scores: Scores | None = field(default=None, repr=False)

    @property
    def short_id(self) -> str:
        """The end of the id."""
        return self.id[-6:].lower()

    @property
    def at_rung(self) -> bool:
        """Whether a search has stopped it, or lets it wait, at a rung."""
        return self.state == "paused" and self.reason == "rung"

    @property
    def hours(self) -> float | None:
        """Of training."""
        return None if self.seconds is None else self.seconds / 3600


def validated_on(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """What a spec's figures are measured on: equal for two whose figures can be compared."""
    name, identity = _part(spec, "val")
    if name is None:
        return ("nothing",)
    share = "held-out share" if name == _part(spec, "train")[0] else "all of it"
    return (str(identity or f"{name}, content unknown"), share, f"x{spec.get('scale')}")


def validation_text(spec: Mapping[str, Any]) -> str:
    """The same for people: `set5 1a2b3c4d5e6f, x2`."""
    name, identity = _part(spec, "val")
    if name is None:
        return "nothing"
    share = ", held-out share" if name == _part(spec, "train")[0] else ""
    return f"{name} {str(identity or 'of unknown content')[:_DIGITS]}{share}, x{spec.get('scale')}"


def trained_on(spec: Mapping[str, Any]) -> tuple[str, str]:
    """(name, content identity) of the training data; empty where unknown."""
    name, identity = _part(spec, "train")
    return str(name or ""), str(identity or "")


def _part(spec: Mapping[str, Any], which: str) -> tuple[Any, Any]:
    part = (spec.get("datasets") or {}).get(which) or {}
    return part.get("name"), part.get("identity")
