"""What jobs of a kind of work took of a GPU: the default of those that come and ask for nothing."""

from __future__ import annotations

from collections.abc import Collection

from srqueue.store.connection import Connection
from srqueue.store.record import Bell

_LOOKS = 2.0  # seconds between two looks of all workers together
_A_SET = 1000  # jobs of a ready set
_MOST = 5000  # kinds


def loosen(connection: Connection) -> list[Bell]:
    """Jobs that nobody may take because of a default alone may be taken by all; whom to ring for."""
    flat = connection.run("loosen", _LOOKS, _A_SET)
    return [Bell(*pair) for pair in zip(flat[::2], flat[1::2], strict=True)]


class KnownMemory:
    """Bytes by kind of work (`forecast.kinds.memory_kind`). Raises ServiceUnreachable."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._key = connection.keys.memory

    def of(self, kinds: Collection[str]) -> dict[str, int]:
        """Of those kinds that are known."""
        if not kinds:
            return {}
        asked = list(kinds)
        with self._connection.reach() as client:
            found = client.hmget(self._key, asked)
        return {kind: int(amount) for kind, amount in zip(asked, found, strict=True) if amount}

    def note(self, kind: str, amount: int) -> None:
        """A job of that kind has succeeded with so many bytes. The least counts: where a card has less, a job
        takes fewer crops at a time, and a default is not to keep its kind from cards that have done it."""
        with self._connection.reach() as client:
            known = client.hget(self._key, kind)
            if known is not None and int(known) <= amount:
                return
            if known is None and len(names := client.hkeys(self._key)) >= _MOST:
                client.hdel(self._key, names[0])
            client.hset(self._key, kind, amount)
