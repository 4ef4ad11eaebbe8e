"""Notice: what is told, as plain text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_LONGEST_TITLE, _LONGEST_BODY = 150, 1500
_INVISIBLE = "\u200b"  # zero width: what stands behind it begins no mention


@dataclass(frozen=True)
class Notice:
    """`picture`: a file on this machine that goes along, where the receiver takes files."""

    title: str
    body: str
    picture: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", neutral(" ".join(self.title.split()))[:_LONGEST_TITLE])
        object.__setattr__(self, "body", neutral(self.body)[:_LONGEST_BODY])


def neutral(text: str) -> str:
    """`text` without control characters, and such that no chat takes a part of it for a mention."""
    shown = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    for sign in ("@", "<!", "<#", "<&"):
        shown = shown.replace(sign, sign[0] + _INVISIBLE + sign[1:])
    return shown
