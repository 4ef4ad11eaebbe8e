"""How many of others' jobs come before one, by the rule of claims: whose user runs and has trained less."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from srqueue.store.keys import Keys
from srqueue.store.offers import parts_of
from srqueue.store.quotas import used_by

_NONE = (0, 0.0)


@dataclass(frozen=True)
class Standings:
    """(jobs that run, seconds trained lately) of users, and of campaigns that share within one."""

    first_user: str
    users: Mapping[str, tuple[int, float]]
    campaigns: Mapping[tuple[str, str], tuple[int, float]]

    def split(self, share: str) -> tuple[str, str]:
        """User and campaign of a lot, or of its part that says whose it is."""
        parts = dict(parts_of(share))
        return parts.get("u", self.first_user), parts.get("k", "")

    def before(
        self, own: str, place: int, waiting: Mapping[str, int], older: Mapping[str, int],
        better: Mapping[str, int],
    ) -> dict[str, int]:  # fmt: skip
        """Of others' jobs of the same rank so many, by share, begin before the one that has `place` of its
        own share in front of it, once those of a `better` rank run, and as long as nothing ends. By share:
        `waiting` are all of them, `older` those that are older than it."""
        user, campaign = self.split(own)
        found: dict[str, int] = {}
        mine = self._inner(user, campaign, better)
        for share, number in waiting.items():
            other, its = self.split(share)
            if other == user:
                theirs = self._inner(other, its, better)
                found[share] = _first(number, older.get(share, 0), place, mine, theirs)
        place += sum(found.values())
        mine = self._outer(user, better)
        for other in sorted({self.split(share)[0] for share in waiting} - {user}):
            its_shares = [share for share in waiting if self.split(share)[0] == other]
            number, old = (sum(known.get(share, 0) for share in its_shares) for known in (waiting, older))
            left = _first(number, old, place, mine, self._outer(other, better))
            for share in its_shares:
                found[share] = min(waiting[share], left)
                left -= found[share]
        return found

    def _outer(self, user: str, better: Mapping[str, int]) -> tuple[int, float]:
        runs, used = self.users.get(user, _NONE)
        return runs + sum(n for share, n in better.items() if self.split(share)[0] == user), used

    def _inner(self, user: str, campaign: str, better: Mapping[str, int]) -> tuple[int, float]:
        if not campaign:
            return _NONE
        runs, used = self.campaigns.get((user, campaign), _NONE)
        return runs + sum(n for share, n in better.items() if self.split(share) == (user, campaign)), used


def _first(number: int, older: int, place: int, mine: tuple[int, float], theirs: tuple[int, float]) -> int:
    """How many of `number` go first: the next of them has as many running as I in my place, or has fewer."""
    least = place + mine[0] - theirs[0]
    if theirs[1] < mine[1] or (theirs[1] == mine[1] and least < older):
        least += 1
    return min(max(least, 0), number)


def standings(client: Any, keys: Keys, shares: Iterable[str]) -> Standings:
    """Of those shares, in two round trips."""
    known = Standings(client.get(keys.first_user) or "", {}, {})
    pairs = sorted({known.split(share) for share in shares})
    users = sorted({user for user, _ in pairs})
    inner = [(user, campaign) for user, campaign in pairs if campaign]
    pipeline = client.pipeline(transaction=False)
    for user in users:
        pipeline.scard(keys.of_user(user, "running"))
        pipeline.hget(keys.usage, user)
    for user, campaign in inner:
        pipeline.zcard(keys.campaign(campaign, "running"))
        pipeline.hget(keys.usage, f"{user}/{campaign}")
    found, at = pipeline.execute(), time.time()
    rows = [(int(runs), used_by(usage, at)) for runs, usage in zip(found[::2], found[1::2], strict=True)]
    return Standings(
        known.first_user, dict(zip(users, rows, strict=False)),
        dict(zip(inner, rows[len(users) :], strict=True)),
    )  # fmt: skip
