"""Copying all keys of a queue from one server to another, and comparing both sides."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from srqueue.store.keys import Keys, broker_prefix
from srqueue.store.migrating.contents import read

_KEYS_A_CALL = 500


@dataclass(frozen=True)
class Sum:
    """What one side holds: keys of each type, and one SHA-256 over all contents, in the order of keys."""

    kinds: Mapping[str, int]
    sha256: str

    @property
    def keys(self) -> int:
        """All of them."""
        return sum(self.kinds.values())


def copy(source: Any, target: Any, keys: Keys, each: Callable[[], None]) -> Sum:
    """Writes every key of the queue, whatever the target has; what the source holds. `each`: once a batch."""
    digests, kinds = dict[bytes, bytes](), Counter[str]()
    for batch in _batches(source, keys):
        each()
        pipeline = target.pipeline(transaction=False)
        for content in read(source, batch):
            content.write(pipeline)
            digests[content.key] = content.digest()
            kinds[content.kind] += 1
        pipeline.execute()
    return Sum(kinds, _joined(digests))


def sum_up(client: Any, keys: Keys, each: Callable[[], None] = lambda: None) -> Sum:
    """What a server holds of the queue, by reading all of it."""
    digests, kinds = dict[bytes, bytes](), Counter[str]()
    for batch in _batches(client, keys):
        each()
        for content in read(client, batch):
            digests[content.key] = content.digest()
            kinds[content.kind] += 1
    return Sum(kinds, _joined(digests))


def clear(client: Any, keys: Keys) -> None:
    """Takes away what a copy would write."""
    for batch in _batches(client, keys):
        client.unlink(*batch)


def _joined(digests: Mapping[bytes, bytes]) -> str:
    return hashlib.sha256(b"".join(digests[key] for key in sorted(digests))).hexdigest()


def _batches(client: Any, keys: Keys) -> Iterator[list[bytes]]:
    """The keys of the queue that move, each once.

    Not the broker's: bells are hints, and the sweepers ring anew. Not what says that a worker is in touch:
    workers say so where they are; nor what is kept for an hour or less (`looked`, lost claims).
    """
    root = keys.root.encode()
    left = (broker_prefix(keys.prefix).encode(), root + b"worker:", root + b"claim:", root + b"drain:")
    alone = {name.encode() for name in (keys.moved, keys.moving, keys.arrived, keys.workers, keys.looked)}
    seen = set[bytes]()
    pattern = root.replace(b"[", b"\\[") + b"*"

    def fresh() -> Iterator[bytes]:
        for key in client.scan_iter(match=pattern, count=1000):
            if key not in seen and key not in alone and not key.startswith(left):
                seen.add(key)
                yield key

    remaining = fresh()
    while batch := list(islice(remaining, _KEYS_A_CALL)):
        yield batch
