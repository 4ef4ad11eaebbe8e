"""A job's spec and origins as one short text: most of what they say is what the presets say."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from srqueue.errors import SpecError
from srqueue.run.parsing import from_json

LARGEST = 1 << 20
"""Bytes of JSON; what claims to be more was not written here."""

_WRITTEN_WITH = ("1",)
PHRASES = 1
"""Number of the phrases that are written with. Such a file is never changed: stored jobs need it."""


def pack(spec: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    """`1:` and base85 of their JSON, compressed with the phrases of that number known beforehand.

    NaN and infinities are refused. About 200 bytes, where the JSON has 3,300.
    """
    text = json.dumps([spec, origins], separators=(",", ":"), allow_nan=False).encode()
    if len(text) > LARGEST:
        raise SpecError(f"the spec is longer than {LARGEST} bytes of JSON")
    packer = zlib.compressobj(level=9, zdict=_phrases(PHRASES))
    return f"{PHRASES}:{base64.b85encode(packer.compress(text) + packer.flush()).decode()}"


def unpack(packed: str) -> tuple[dict[str, Any], dict[str, str]]:
    """(spec, origins). Raises zlib.error or ValueError where the text was not written by `pack`."""
    number, _, body = packed.partition(":")
    if number not in _WRITTEN_WITH:
        raise ValueError(f"the packed spec is of a later version, or none: {number[:20]!r}")
    unpacker = zlib.decompressobj(zdict=_phrases(int(number)))
    text = unpacker.decompress(base64.b85decode(body), LARGEST)
    if not unpacker.eof:
        raise ValueError("the packed spec is cut off, or longer than any")
    told = from_json(text)
    if not (isinstance(told, list) and len(told) == 2 and all(isinstance(part, dict) for part in told)):
        raise ValueError("the packed spec holds something else than a spec and its origins")
    spec, origins = told
    return spec, origins


@cache
def _phrases(number: int) -> bytes:
    return (files("srqueue.store") / f"phrases_{number}.txt").read_bytes()
