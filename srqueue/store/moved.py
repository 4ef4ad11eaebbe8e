"""The sign that a queue has moved to another server, or is being moved: who reads it goes there.

<prefix>:moved    string  on the old server, for good; on the new one while records arrive (JSON, see Moved)
<prefix>:arrived  string  on the new server: id of the move that is complete

Every script looks for the first before it does anything (prelude.lua).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from srqueue.errors import ServiceUnreachable
from srqueue.settings import Settings

SIGN = "SRQMOVED"
"""First word of a script's error where the sign is there; `MOVED` is Redis Cluster's own."""

Stage = Literal["leaving", "arriving", "gone"]


@dataclass(frozen=True)
class Moved:
    """`url`: where the queue goes, without a password. `stage`: leaving (the old server, records are copied),
    arriving (the new one meanwhile), gone (the old one, for good)."""

    id: str
    url: str
    stage: Stage

    def text(self) -> str:
        """What `read` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str | bytes | None) -> Moved | None:
        """None where there is no sign."""
        if not text:
            return None
        raw = json.loads(text)
        return cls(id=raw["id"], url=raw["url"], stage=raw["stage"])


class QueueMoved(ServiceUnreachable):
    """The queue is on another server, or on its way there."""


def error_of(moved: Moved, settings: Settings) -> QueueMoved:
    """What a person is told who asks the server that has the sign."""
    if moved.stage == "gone":
        return QueueMoved(
            f"this queue has moved to {moved.url}",
            where=settings.shown_url,
            hint="set SRQUEUE_REDIS_URL to it, with its password; or leave it unset where this was the server"
            f" of srqueue up: {settings.url_file} has it",
        )
    return QueueMoved(
        f"this queue is being moved to {moved.url}",
        where=settings.shown_url,
        hint="try again in a minute; where the move was interrupted: srqueue migrate again, or --undo",
    )


def sign_in(error: Exception) -> Moved | None:
    """The sign that the error of a script tells of."""
    text = str(error)
    return Moved.read(text.partition(" ")[2]) if text.startswith(SIGN) else None
