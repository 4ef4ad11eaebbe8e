"""Occasions for notices: noted where they happen, told once by whichever worker takes one first.

An occasion is a text `<kind>:<what>:...`. That a job ended is noted by the script that ends it.
"""

from __future__ import annotations

from collections.abc import Sequence

from srqueue.store.connection import Connection

KEPT = 5000
"""Occasions in Redis, the newest; `OCCASIONS_KEPT` in prelude.lua is the same."""
TOLD_SECONDS = 30 * 86400
"""How long it is remembered that one was told."""
AGAIN = (60, 300, 1200, 3600, 3 * 3600, 6 * 3600)
"""Seconds until an occasion that could not be told is tried again: a night without a network loses none."""
_TOLD = "told"


class Occasions:
    """All times are UTC s of the Redis server. Raises ServiceUnreachable where it does not answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._keys = connection.keys

    def now(self) -> float:
        """The time."""
        with self._connection.reach() as client:
            seconds, micros = client.time()
        return float(seconds) + float(micros) / 1e6

    def began(self) -> float:
        """When somebody first looked for occasions: what lies before it nobody waits for."""
        at = self.now()
        with self._connection.reach() as client:
            client.set(self._keys.notices_since, f"{at:.3f}", nx=True)
            return float(client.get(self._keys.notices_since) or at)

    def note(self, occasion: str) -> None:
        """Something happened. Noted again it stays where it is."""
        at = self.now()
        with self._connection.reach() as client:
            pipeline = client.pipeline(transaction=False)
            pipeline.zadd(self._keys.occasions, {occasion: at}, nx=True)
            pipeline.zremrangebyrank(self._keys.occasions, 0, -KEPT - 1)
            pipeline.execute()

    def since(self, moment: float) -> list[tuple[str, float]]:
        """(occasion, when) from `moment` on, oldest first, that nobody has told or is telling."""
        with self._connection.reach() as client:
            found = client.zrangebyscore(self._keys.occasions, moment, "+inf", withscores=True)
            keys = [self._keys.notice(name) for name, _ in found]
            taken: Sequence[str | None] = client.mget(keys) if keys else []
        return [(name, float(at)) for (name, at), mark in zip(found, taken, strict=True) if mark is None]

    def ended_since(self, moment: float) -> list[str]:
        """Ids of jobs that ended since, oldest first, told or not."""
        with self._connection.reach() as client:
            found = client.zrangebyscore(self._keys.occasions, moment, "+inf")
        return [name.split(":")[1] for name in found if name.startswith("ended:")]

    def take(self, occasion: str, seconds: float) -> bool:
        """Whether the caller is the one to tell of it; for so long nobody else is."""
        with self._connection.reach() as client:
            return bool(
                client.set(self._keys.notice(occasion), "telling", nx=True, ex=max(1, round(seconds)))
            )

    def told(self, occasion: str) -> None:
        """It is done with, well or not: nobody tells of it again."""
        with self._connection.reach() as client:
            client.set(self._keys.notice(occasion), _TOLD, ex=TOLD_SECONDS)

    def failed(self, occasion: str) -> bool:
        """It could not be told; whether it is given up. If not, it is free again after a while."""
        with self._connection.reach() as client:
            key = self._keys.notice(f"{occasion}:tries")
            tries = int(client.incr(key))
            client.expire(key, TOLD_SECONDS)
            if tries <= len(AGAIN):
                client.set(self._keys.notice(occasion), "waiting", ex=AGAIN[tries - 1])
        if tries > len(AGAIN):
            self.told(occasion)
        return tries > len(AGAIN)
