"""Whose turn it is while a queue is played: the rule by which claims choose among users (claim.lua)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

HALF_LIFE = 24 * 3600
"""Seconds in which what was trained weighs half; see prelude.lua."""
_MOST_HALVES = 500  # what is further off is as good as never, and no float overflows

Share = tuple[str, str]
"""User, and the campaign with which his others share; empty for none."""
Turn = tuple[int, float, int, float]


@dataclass(frozen=True)
class Turns:
    """What is known when the play begins. `used`: seconds trained lately by `user` and `user/campaign`;
    `most`: jobs that a user may have running at a time."""

    used: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)


NO_TURNS = Turns()


class Taking:
    """What users have running and have trained, as the play goes on."""

    def __init__(self, turns: Turns) -> None:
        self._most, self._used = turns.most, dict(turns.used)
        self._running: Counter[str] = Counter()

    def begin(self, share: Share) -> None:
        """A job of that share begins."""
        self._running.update(_names(share))

    def end(self, share: Share, seconds: float, now: float) -> None:
        """It ends or is interrupted, having trained `seconds`."""
        self._running.subtract(_names(share))
        # All sums fall alike, so that instead of them what comes later weighs more.
        later = 2.0 ** min(now / HALF_LIFE, _MOST_HALVES)
        for name in _sums(share):
            self._used[name] = self._used.get(name, 0.0) + seconds * later

    def may(self, share: Share) -> bool:
        """Whether its user may have one more running."""
        most = self._most.get(share[0])
        return most is None or self._running[f"u={share[0]}"] < most

    def turn(self, share: Share) -> Turn:
        """The lowest goes first, among jobs of one rank."""
        user, campaign = share
        return (
            self._running[f"u={user}"], self._used.get(user, 0.0),
            self._running[f"k={campaign}"] if campaign else 0,
            self._used.get(f"{user}/{campaign}", 0.0) if campaign else 0.0,
        )  # fmt: skip


def _names(share: Share) -> list[str]:
    return [f"u={share[0]}", *([f"k={share[1]}"] if share[1] else [])]


def _sums(share: Share) -> list[str]:
    return [share[0], *([f"{share[0]}/{share[1]}"] if share[1] else [])]
