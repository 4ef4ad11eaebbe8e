"""What a key holds, read and written by plain commands of its type.

Not by DUMP and RESTORE or by replication: their format is that of the server's version, and an older server
(or Redis instead of Valkey) refuses it. These commands are the same from Redis 6.2 on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_PIECE = 2000  # members or fields a command


@dataclass(frozen=True)
class Content:
    """One key. `value` as redis-py answers, in bytes; `lasts`: ms until it expires, None: for good."""

    key: bytes
    kind: str
    value: Any
    lasts: int | None
    last_id: bytes = b""  # of a stream: the newest position that it ever had

    def digest(self) -> bytes:
        """The same for the same content on any server; how long it lasts yet is left out."""
        value = self.value
        if self.kind == "hash":
            value = sorted(value.items())
        elif self.kind == "set":
            value = sorted(value)
        elif self.kind == "stream":
            value = [(position, list(fields.items())) for position, fields in value]
        elif self.kind == "zset":
            value = [(member, float(score)) for member, score in value]
        shown = repr((self.key, self.kind, value, self.lasts is not None, self.last_id))
        return hashlib.sha256(shown.encode()).digest()

    def write(self, pipeline: Any) -> None:
        """Appends the commands that make the key what it is, whatever it was."""
        pipeline.delete(self.key)
        _WRITERS[self.kind](pipeline, self)
        if self.lasts is not None:
            pipeline.pexpire(self.key, max(self.lasts, 1))


def read(client: Any, keys: Sequence[bytes]) -> list[Content]:
    """The contents of those of `keys` that are there. `client` must not decode answers."""
    types = client.pipeline(transaction=False)
    for key in keys:
        types.type(key).pttl(key)
    found = types.execute()
    known = [
        (key, kind.decode(), lasts)
        for key, kind, lasts in zip(keys, found[::2], found[1::2], strict=True)
        if kind != b"none" and lasts != -2
    ]
    values = client.pipeline(transaction=False)
    for key, kind, _ in known:
        if kind not in _READERS:
            raise ValueError(f"{key.decode(errors='replace')} is of type {kind}, which srqueue does not use")
        _READERS[kind](values, key)
        if kind == "stream":
            values.xinfo_stream(key)
    answers = iter(values.execute())
    contents = []
    for key, kind, lasts in known:
        value = next(answers)
        last = next(answers)["last-generated-id"] if kind == "stream" else b""
        left = None if lasts < 0 else int(lasts)
        if kind == "string" and value is None:  # it expired just now
            continue
        contents.append(Content(key, kind, value, left, last))
    return contents


def _pieces(items: Iterable[Any]) -> Iterator[list[Any]]:
    known = list(items)
    for i in range(0, len(known), _PIECE):
        yield known[i : i + _PIECE]


def _write_string(pipeline: Any, content: Content) -> None:
    pipeline.set(content.key, content.value)


def _write_hash(pipeline: Any, content: Content) -> None:
    for piece in _pieces(content.value.items()):
        pipeline.hset(content.key, mapping=dict(piece))


def _write_set(pipeline: Any, content: Content) -> None:
    for piece in _pieces(content.value):
        pipeline.sadd(content.key, *piece)


def _write_zset(pipeline: Any, content: Content) -> None:
    for piece in _pieces(content.value):
        pipeline.zadd(content.key, dict(piece))


def _write_list(pipeline: Any, content: Content) -> None:
    for piece in _pieces(content.value):
        pipeline.rpush(content.key, *piece)


def _write_stream(pipeline: Any, content: Content) -> None:
    for position, fields in content.value:
        pipeline.xadd(content.key, fields, id=position)
    if not content.value:  # all were taken out of it
        pipeline.xadd(content.key, {b"line": b""}, id=content.last_id)
        pipeline.xdel(content.key, content.last_id)
    pipeline.execute_command("XSETID", content.key, content.last_id)


_READERS: dict[str, Any] = {
    "string": lambda pipeline, key: pipeline.get(key),
    "hash": lambda pipeline, key: pipeline.hgetall(key),
    "set": lambda pipeline, key: pipeline.smembers(key),
    "zset": lambda pipeline, key: pipeline.zrange(key, 0, -1, withscores=True),
    "list": lambda pipeline, key: pipeline.lrange(key, 0, -1),
    "stream": lambda pipeline, key: pipeline.xrange(key),
}
_WRITERS: dict[str, Any] = {
    "string": _write_string,
    "hash": _write_hash,
    "set": _write_set,
    "zset": _write_zset,
    "list": _write_list,
    "stream": _write_stream,
}
