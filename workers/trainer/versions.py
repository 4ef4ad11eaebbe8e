"""What a newer srqueue wrote: it is whole, and nothing that it says may be left out."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from srqueue.errors import SrqueueError


class NewerVersion(SrqueueError):
    """A checkpoint that this version cannot go on from without losing a part of its state."""


def check_known(body: dict[str, Any], kind: type, version: int | None = None) -> None:
    """Raises NewerVersion where `body` has fields that the dataclass `kind` lacks, or a `v` above `version`.

    So a new field needs no new version: it is enough for an older worker to leave the checkpoint alone.
    """
    unknown = sorted(body.keys() - {f.name for f in fields(kind)})
    newer = version is not None and body.get("v", 0) > version
    if unknown or newer:
        what = f"it has {', '.join(unknown)}" if unknown else f"its version is {body['v']}"
        raise NewerVersion(
            f"a newer srqueue wrote this checkpoint ({what}): this one cannot go on from it exactly",
            hint="update srqueue on this machine; until then the job waits",
        )
