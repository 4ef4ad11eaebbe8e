"""Moving a queue to another server while its trainings go on.

1. Sign on the new server (arriving), then on the old one (leaving): every script on either does nothing
   from then on. Whatever else would write to the old one waits (CLIENT PAUSE; an error would end Celery's
   consumers). Trainings go on as where Redis is away.
2. All keys are copied; both sides are read once more and compared.
3. The old server's sign becomes `gone`: from here on there is no way back. The new server is opened, its
   address is noted on this machine, and the clients of the old one are cut off: they look for where the queue
   is. Tokens are the same, so leases are taken up where they were.

A move that was interrupted is gone on with by the same call; before 3 it can be undone, whether or not the
new server answers.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import redis

from srqueue.errors import ConflictError, SrqueueError, UsageError
from srqueue.run.atomic import write_file
from srqueue.settings import Settings
from srqueue.store.connection import Connection
from srqueue.store.keys import Keys
from srqueue.store.migrating.copying import Sum, clear, copy, sum_up
from srqueue.store.moved import Moved
from srqueue.store.servers import open_client
from srqueue.store.store import Store

_ANSWER_SECONDS = 60.0
KNOWS_THE_SIGN = 2
"""Schema from which on a worker does."""
_PAUSE_MS = 30_000
"""Begun anew with every batch; it ends by itself where this process dies, and so does its lock (`moving`)."""
_REPLACE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2]) end
return 1
"""
"""The sign becomes another, or goes, where it still is what was read."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class Move:
    """What came of it. `before`: it was complete already, and nothing was copied."""

    url: str
    held: Sum
    before: bool = False


class Migration:
    """From the server of `source` to that of `target`; both have the same prefix.

    `after`: as whom this machine comes there afterwards; without it as who moves the queue.
    """

    def __init__(
        self,
        source: Settings,
        target: Settings,
        report: Report = lambda _: None,
        after: Settings | None = None,
    ) -> None:
        self.settings, self.there, self.after = source, target, after or target
        self.keys = Keys(source.prefix)
        self._report, self._token = report, secrets.token_hex(8)
        # Scripts would refuse: plain clients, which take longer for large keys.
        self.old, self.new = _client(source), _client(target)

    def run(self) -> Move:
        """Moves the queue. Raises UsageError where the target is the source or holds another queue."""
        for client, place in ((self.old, self.settings), (self.new, self.there)):
            _require_rights(client, place)
        self._require_another()
        if not self.new.set(self.keys.moving, self._token, nx=True, px=_PAUSE_MS):
            raise ConflictError(
                "another srqueue migrate to that server is at work", where=self.there.shown_url,
                hint="wait for it; where it was killed, try again in half a minute",
            )  # fmt: skip
        try:
            return self._run()
        finally:
            with contextlib.suppress(redis.RedisError):
                self.new.eval(_REPLACE, 1, self.keys.moving, self._token, "")

    def _run(self) -> Move:
        left, came = Moved.read(self.old.get(self.keys.moved)), Moved.read(self.new.get(self.keys.moved))
        if left is not None and left.url != self.there.shown_url:
            gone = left.stage == "gone"
            raise ConflictError(
                f"this queue {'has moved' if gone else 'is being moved'} to {left.url}",
                where=self.settings.shown_url,
                hint="name that server" + ("" if gone else ", or take it back: srqueue migrate --undo"),
            )
        if left is not None and left.stage == "gone":
            return self._complete(left, came)
        if came is None or left is None or came.id != left.id:
            self._require_empty(came)
        self._require_no_older_worker()
        moved = left or Moved(secrets.token_hex(8), self.there.shown_url, "leaving")
        self.new.set(self.keys.moved, replace(moved, stage="arriving").text())
        if left is None:
            self.old.set(self.keys.moved, moved.text())
        self._go_on()
        self._report("the queue stands still; trainings go on")
        clear(self.new, self.keys)
        held = copy(self.old, self.new, self.keys, self._go_on)
        self._report(f"{held.keys} keys copied; both sides are compared")
        self._compare(held)
        self._close(moved)
        self._open(moved)
        return Move(self.there.shown_url, held)

    def _close(self, moved: Moved) -> None:
        """The way back is closed. In one go, so that nothing that waited is written where nobody looks any
        more: who waited is cut off, and told so."""
        with self.old.pipeline(transaction=False) as at_once:
            at_once.client_unpause()
            at_once.eval(_REPLACE, 1, self.keys.moved, moved.text(), replace(moved, stage="gone").text())
            at_once.client_kill_filter(_type="normal", skipme=True)
            _, closed, _ = at_once.execute()
        if not closed:
            raise ConflictError(
                "the move was taken back meanwhile", where=self.settings.shown_url,
                hint="what came of it on the new server is taken away by: srqueue migrate --undo URL",
            )  # fmt: skip

    def _complete(self, left: Moved, came: Moved | None) -> Move:
        """Does again what comes after the way back was closed."""
        if came is not None and came.stage == "gone":
            raise ConflictError(f"this queue has moved on to {came.url}", where=self.there.shown_url)
        arrived = self.new.get(self.keys.arrived)
        if arrived != left.id.encode() and (came is None or came.id != left.id):
            raise SrqueueError(
                "the new server has lost what was moved to it", where=self.there.shown_url,
                hint="bring its data back, or rebuild the jobs there: srqueue recover",
            )  # fmt: skip
        self._open(left)
        return Move(self.there.shown_url, sum_up(self.new, self.keys), before=True)

    def _open(self, moved: Moved) -> None:
        """The new server works; the old one says where it is, and its clients are sent off."""
        with self.new.pipeline(transaction=True) as both:
            both.set(self.keys.arrived, moved.id)
            both.delete(self.keys.moved)
            both.execute()
        if self.settings.redis_url is None or self.settings.from_file:
            address = self.after.store_url.encode() + b"\n"
            write_file(self.settings.url_file, address, mode=0o600)
        for kind in ("normal", "pubsub"):
            with contextlib.suppress(redis.ResponseError):
                self.old.client_kill_filter(_type=kind, skipme=True)

    def _require_another(self) -> None:
        """Nor another database of it: while the queue stands still, so does all of its server."""
        if self.old.info("server")["run_id"] == self.new.info("server")["run_id"]:
            raise UsageError("the queue is on that server already", where=self.there.shown_url)

    def _require_no_older_worker(self) -> None:
        """One that does not know the sign would go on writing to the old server."""
        workers = Store(Connection(self.settings)).workers() if self._has_no_sign() else ()
        if older := [worker.name for worker in workers if worker.schema < KNOWS_THE_SIGN]:
            raise ConflictError(
                f"workers of an older srqueue are at work: {', '.join(sorted(older))}",
                where=self.settings.shown_url,
                hint="end them first (srqueue drain HOST), upgrade, and start them again",
            )

    def _has_no_sign(self) -> bool:
        return self.old.get(self.keys.moved) is None

    def _require_empty(self, came: Moved | None) -> None:
        """What only workers that wait there have written is no queue."""
        if came is not None and came.stage == "gone":
            raise UsageError(
                "a queue has moved away from that server, and its keys lie there still",
                where=self.there.shown_url,
                hint=f"take another database of it (.../1), or delete the keys there: {self.keys.root}*",
            )
        if came is not None:
            raise UsageError(
                "another move to that server was not completed", where=self.there.shown_url,
                hint="go on with it; or take away what came of it: srqueue migrate --undo URL",
            )  # fmt: skip
        if any(self.new.exists(key) for key in (self.keys.jobs, self.keys.campaign_files)):
            raise UsageError(
                f"there is a queue with the prefix {self.keys.prefix!r} on that server already",
                where=self.there.shown_url,
                hint="name another database of it (.../1), or give this queue another SRQUEUE_PREFIX",
            )

    def _go_on(self) -> None:
        """The old server stands still for a while longer, and nobody else moves anything meanwhile."""
        if self.new.get(self.keys.moving) != self._token.encode():
            raise ConflictError(
                "this move stood still, and another one goes on with it", where=self.there.shown_url
            )
        self.new.pexpire(self.keys.moving, _PAUSE_MS)
        self.old.client_pause(_PAUSE_MS, all=False)

    def _compare(self, held: Sum) -> None:
        self._go_on()
        again, there = sum_up(self.old, self.keys, self._go_on), sum_up(self.new, self.keys, self._go_on)
        if not held == again == there:
            raise SrqueueError(
                f"both servers do not hold the same: {held.keys} keys were read, the old server has "
                f"{again.keys}, the new one {there.keys}",
                hint="run it again; where a worker of an older version still writes, end it first",
            )


def undo(source: Settings) -> Moved | None:
    """Takes back a move that is not complete; what it was, None where there is none."""
    old, keys = _client(source), Keys(source.prefix)
    left = Moved.read(old.get(keys.moved))
    if left is None:
        return None
    if left.stage == "leaving":
        with old.pipeline(transaction=False) as at_once:
            at_once.client_unpause().eval(_REPLACE, 1, keys.moved, left.text(), "")
            _, taken_back = at_once.execute()
        if taken_back:
            return left
    raise UsageError(f"the queue is at {left.url}, and works there", hint="move it again from there")


def take_away(target: Settings) -> bool:
    """Removes what an incomplete move has left on its target; False where there is nothing."""
    new, keys = _client(target), Keys(target.prefix)
    came = Moved.read(new.get(keys.moved))
    if came is None or came.stage != "arriving":
        return False
    clear(new, keys)
    new.delete(keys.moved)
    return True


def _require_rights(client: Any, place: Settings) -> None:
    """Raises UsageError for a user who may not look at all keys: told before anything stands still."""
    try:
        client.scan(count=1)
    except redis.exceptions.NoPermissionError:
        raise UsageError(
            "this user of Redis may not move a queue", where=place.shown_url,
            hint="move it as one who may do everything (`admin` of deploy/redis/users.acl.in), and say with "
            "--then URL as whom this machine comes there afterwards",
        ) from None  # fmt: skip


def _client(settings: Settings) -> Any:
    Connection(settings).ping_server()
    return open_client(settings, decode=False, seconds=_ANSWER_SECONDS)
