"""What a checkpoint's manifest proves, without torch: itself by its digest, the payload by its SHA-256."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srqueue.errors import CheckpointError
from srqueue.run.parsing import from_json


@dataclass(frozen=True)
class Seal:
    """Of one checkpoint. `events_offset`: bytes of its attempt's events that belong to it."""

    bytes: int
    sha256: str
    events_offset: int
    saved: float


def read_seal(text: bytes, name: str) -> Seal:
    """Raises CheckpointError where the manifest is damaged, or another checkpoint's."""
    try:
        body: dict[str, Any] = from_json(text)
        digest = body.pop("digest")
        if digest != hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest():
            raise CheckpointError("the manifest's SHA-256 is wrong", where=name)
        if body["name"] != name:
            raise CheckpointError(f"the manifest is of {body['name']}", where=name)
        sha256 = checked_sha256(body["sha256"], name)
        return Seal(int(body["bytes"]), sha256, int(body["events_offset"]), float(body.get("saved", 0.0)))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"the manifest is not whole: {error}", where=name) from None


def checked_sha256(text: object, where: str) -> str:
    """`text` itself where it is a SHA-256 in hex, and so may be part of a name. Raises CheckpointError."""
    if not isinstance(text, str) or len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise CheckpointError("this is no SHA-256", where=where)
    return text


def sha256_of(file: Path) -> str:
    """Of a file's content, read by parts."""
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
