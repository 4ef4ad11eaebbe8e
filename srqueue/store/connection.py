"""The connection to Redis: short waits, no retries, errors a person can use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from srqueue.errors import ServiceUnreachable
from srqueue.settings import Settings, followed
from srqueue.store.keys import Keys
from srqueue.store.moved import Moved, QueueMoved, error_of, sign_in
from srqueue.store.schema import check_schema
from srqueue.store.scripts import script
from srqueue.store.servers import open_client
from srqueue.store.unreachable import first_line, unreachable


class Connection:
    """Commands and scripts on one server; every failure to reach it is a ServiceUnreachable."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = Keys(settings.prefix)
        self.redis = open_client(settings)
        self._scripts: dict[str, Any] = {}

    @contextmanager
    def reach(self) -> Iterator[Any]:
        """The client; what goes wrong with it is raised as ServiceUnreachable.

        Any, because redis-py types an answer as the union of what it is under all its options.
        """
        try:
            yield self.redis
        except redis.AuthenticationError:
            raise ServiceUnreachable(
                "Redis refuses the user or the password",
                where=self.settings.shown_url,
                hint="correct SRQUEUE_REDIS_URL",
            ) from None
        except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
            self._follow()  # the next call goes there
            raise unreachable(self.settings, error) from None
        except redis.exceptions.NoPermissionError as error:
            scripts = "'script|load'" in str(error)
            raise ServiceUnreachable(
                "our Lua scripts are not in Redis, and this user may not load them" if scripts
                else f"Redis does not let this user do that: {first_line(error)}",
                where=self.settings.shown_url,
                hint="as the user who may: srqueue load-scripts --watch" if scripts
                else "take a user with more rights (deploy/redis/users.acl.in says who may what)",
            ) from None  # fmt: skip
        except redis.RedisError as error:
            if moved := sign_in(error):
                raise self._go_after(moved) from None
            raise ServiceUnreachable(
                f"Redis cannot do its work: {first_line(error)}", where=self.settings.shown_url
            ) from None

    def run(self, name: str, *args: Any, note: str = "") -> list[Any]:
        """Runs one script of `lua/` and returns its answer: on the server that the queue has moved to, where
        this machine knows of it. `note`: what the audit trail says of it."""
        before, whole = self.redis, (*args, note)
        try:
            return self._run(name, whole)
        except QueueMoved:
            if self.redis is before:
                raise
        return self._run(name, whole)  # the first did nothing

    def ping(self) -> None:
        """Returns where the server answers, the queue has not moved, and this version can work with it."""
        sign, schema = self._signs()
        if moved := Moved.read(sign):
            before, error = self.redis, self._go_after(moved)
            if self.redis is before:
                raise error
            _, schema = self._signs()
        if schema:  # none where nobody has written, or the version before this one
            check_schema(schema, self.settings.shown_url)

    def _signs(self) -> tuple[str | None, str | None]:
        with self.reach() as client:
            sign, schema = client.mget(self.keys.moved, self.keys.schema)
        return sign, schema

    def ping_server(self) -> None:
        """Returns where the server answers, whatever has become of the queue."""
        with self.reach() as client:
            client.ping()

    def _run(self, name: str, args: tuple[Any, ...]) -> list[Any]:
        if name not in self._scripts:
            self._scripts[name] = self.redis.register_script(script(name))
        with self.reach():
            answer: list[Any] = self._scripts[name](keys=[self.keys.root], args=list(args))
            return answer

    def _go_after(self, moved: Moved) -> QueueMoved:
        """Uses the server that `srqueue migrate` noted on this machine from now on; what to raise now."""
        error = error_of(moved, self.settings)
        self._follow()
        return error

    def _follow(self) -> None:
        if (there := followed(self.settings)) is not None:
            self.settings, self.redis, self._scripts = there, open_client(there), {}

    def close(self) -> None:
        """Gives the connections back."""
        self.redis.close()


def compact(value: Any) -> str:
    """JSON without blanks; NaN and infinities are refused."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
