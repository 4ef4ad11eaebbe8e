"""Quotas: how many jobs a user may have running, and queued or held; what users have at the moment."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from srqueue.counting import counted
from srqueue.errors import UsageError, did_you_mean
from srqueue.run.folder import check_name
from srqueue.store.audit import Audit
from srqueue.store.connection import Connection
from srqueue.store.new import NewJob

What = Literal["running", "queued"]
_WHAT: tuple[What, ...] = ("running", "queued")
_LOOKED_AT = 1000  # jobs a call
HALF_LIFE = 24 * 3600
"""Seconds in which what was trained weighs half; see prelude.lua."""


@dataclass(frozen=True)
class UserStanding:
    """What a user has and may have. `used_s`: seconds of training lately, those of a day ago by half."""

    name: str
    running: int
    waiting: int
    used_s: float
    most_running: int | None = None
    most_queued: int | None = None


class Quotas:
    """The quotas of all users, in Redis. Raises ServiceUnreachable."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.keys = connection.keys

    def set(self, user: str, *, running: int | None = None, queued: int | None = None) -> None:
        """Bounds a user; None leaves that bound as it is. A user may be bounded before his first job."""
        check_name(user, "a user")
        limits: dict[What, int | None] = {"running": running, "queued": queued}
        told = ", ".join(f"{what} {most}" for what, most in limits.items() if most is not None)
        Audit(self.connection).note("quota set", f"user {user}", told)
        with self.connection.reach() as client:
            for what, most in limits.items():
                if most is not None:
                    client.hset(self.keys.quota(what), user, most)

    def remove(self, user: str) -> None:
        """Takes both bounds away. Raises UsageError where the user has none."""
        with self.connection.reach() as client:
            gone = sum(client.hdel(self.keys.quota(what), user) for what in _WHAT)
            if not gone:
                known = [name for what in _WHAT for name in client.hkeys(self.keys.quota(what))]
                raise UsageError(f"user {user!r} has no quota", hint=did_you_mean(user, known))
        Audit(self.connection).note("quota rm", f"user {user}")

    def all(self) -> tuple[UserStanding, ...]:
        """Everybody who had a job, or has a quota, by name."""
        with self.connection.reach() as client:
            running = {k: int(v) for k, v in client.hgetall(self.keys.quota("running")).items()}
            queued = {k: int(v) for k, v in client.hgetall(self.keys.quota("queued")).items()}
            names = sorted({*client.smembers(self.keys.users), *running, *queued})
            pipeline = client.pipeline(transaction=False)
            for name in names:
                pipeline.scard(self.keys.of_user(name, "running"))
                pipeline.scard(self.keys.of_user(name, "waiting"))
                pipeline.hget(self.keys.usage, name)
            found, at = pipeline.execute(), time.time()
        rows = zip(names, found[::3], found[1::3], found[2::3], strict=True)
        return tuple(
            UserStanding(name, int(runs), int(waits), used_by(usage, at), running.get(name), queued.get(name))
            for name, runs, waits, usage in rows
        )

    def full(self) -> dict[str, int]:
        """Users that may have no more jobs running, and how many they have."""
        with self.connection.reach() as client:
            limits = client.hgetall(self.keys.quota("running"))
            if not limits:
                return {}
            pipeline = client.pipeline(transaction=False)
            for name in limits:
                pipeline.scard(self.keys.of_user(name, "running"))
            rows = zip(limits.items(), pipeline.execute(), strict=True)
        return {name: int(has) for (name, most), has in rows if int(has) >= int(most)}

    def of(self, user: str) -> UserStanding:
        """Of one; zeros of somebody unknown."""
        return next((one for one in self.all() if one.name == user), UserStanding(user, 0, 0, 0.0))

    def used(self) -> dict[str, float]:
        """Seconds of training lately, by `user` and `user/campaign`."""
        with self.connection.reach() as client:
            found, at = client.hgetall(self.keys.usage), time.time()
        return {name: used_by(usage, at) for name, usage in found.items()}

    def first_user(self) -> str:
        """Whose turn it is that a job without a user takes."""
        with self.connection.reach() as client:
            return client.get(self.keys.first_user) or ""

    def check(self, wanted: Mapping[str | None, int]) -> None:
        """Raises UsageError where one of the users would have more queued or held with so many more jobs."""
        for user, number in wanted.items():
            if number > self.room(user or ""):
                has = self.of(user or "")
                raise over_quota(("over", user, has.most_queued, has.waiting, number))

    def room(self, user: str) -> float:
        """How many more jobs a user may have queued or held; infinite where nothing bounds him."""
        with self.connection.reach() as client:
            most = client.hget(self.keys.quota("queued"), user)
            return math.inf if most is None else int(most) - client.scard(self.keys.of_user(user, "waiting"))


def check_room(connection: Connection, jobs: Sequence[NewJob], *, again: bool, campaign: str) -> None:
    """Raises UsageError where a user would have more jobs queued or held than his quota, were these made.

    Of what `create` makes in parts it is asked before the first; what others submit meanwhile it cannot know.
    """
    asked = jobs if again else list({job.spec_id: job for job in jobs}.values())
    found: dict[str, tuple[int, int, int]] = {}
    for i in range(0, len(asked), _LOOKED_AT):
        some = (part for job in asked[i : i + _LOOKED_AT] for part in (job.id, job.spec_id, job.user))
        answer = connection.run("room", int(again), campaign, *some)
        if not answer and not found:
            return  # nobody of them is bounded
        for user, most, has, wanted in zip(*(answer[n::4] for n in range(4)), strict=True):
            before = found[user][2] if user in found else 0
            found[user] = (int(most), int(has), before + int(wanted))
    for user, (most, has, wanted) in found.items():
        if has + wanted > most:
            raise over_quota(("over", user, most, has, wanted))


def over_quota(answer: Sequence[Any], made: int = 0) -> UsageError:
    """What is raised where a script refused; `made`: new jobs of the same call that were queued before."""
    _, user, most, has, wanted = answer
    bound = counted(int(most), "job")
    some = f"; {made} of this call are queued already" if made else ""
    return UsageError(
        f"user {user} may have {bound} queued, has {has}, and {wanted} more are asked for{some}",
        where="quota",
        hint=f"wait until some have run, or: srqueue quota set {user} --queued {int(has) + int(wanted)}",
    )


def used_by(usage: str | None, now: float) -> float:
    """Seconds trained lately, of what the scripts keep of it (`charge` in prelude.lua); `now`: UTC s."""
    if not usage:
        return 0.0
    seconds, at = map(float, usage.split())
    return float(seconds * 0.5 ** (max(0.0, now - at) / HALF_LIFE))
