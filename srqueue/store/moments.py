"""When a job's next moments come, by the clock of Redis."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Moments:
    """As seen at `now` (UTC s of the Redis server).

    `lease_left`: seconds, negative once it ran out, None where no lease is out; `lease`: its whole length;
    `rung_in`: seconds until a ready job is rung for again; `saved`: iteration of the newest published
    checkpoint.
    """

    now: float
    lease_left: float | None = None
    lease: float | None = None
    rung_in: float | None = None
    saved: int | None = None

    @property
    def silent(self) -> float | None:
        """Seconds since the owner renewed its lease."""
        if self.lease is None or self.lease_left is None:
            return None
        return max(0.0, self.lease - self.lease_left)
