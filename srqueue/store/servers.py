"""A client of the server that the settings name: one address, or Sentinels that know the master."""

from __future__ import annotations

from inspect import signature
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from srqueue import sentinel
from srqueue.errors import ServiceUnreachable, UsageError
from srqueue.settings import Settings

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 3.0
"""A frozen server is noticed after this; a supervisor must not hang in a call."""

# redis-py would look up its own version, to tell the server, at each connection: a millisecond.
_NAMELESS = {"driver_info": None} if "driver_info" in signature(redis.Redis).parameters else {}


def open_client(settings: Settings, *, decode: bool = True, seconds: float = ANSWER_SECONDS) -> redis.Redis:
    """Connects when first used; behind Sentinels each new connection asks who is the master now."""
    options: dict[str, Any] = {
        "decode_responses": decode, "socket_timeout": seconds, "socket_connect_timeout": CONNECT_SECONDS,
        # No retries: a script whose answer was lost may have run, and a supervisor has its own next round.
        "retry": Retry(NoBackoff(), 0), **_NAMELESS,
    }  # fmt: skip
    if not sentinel.is_sentinel(settings.store_url):
        try:
            direct = redis.Redis.from_url(settings.store_url, **options)
            direct.connection_pool.connection_class(**direct.connection_pool.connection_kwargs)
        except (TypeError, ValueError) as error:  # else it comes at the first command
            told = str(error).partition("__() got an ")[2] or str(error)
            raise UsageError(
                f"what stands behind the ? cannot be used: {told}", where="SRQUEUE_REDIS_URL"
            ) from None
        return direct
    known = sentinel.parse(settings.store_url)
    client: redis.Redis = _sentinels(known).master_for(known.master, **known.server, **options)
    return client


def address_now(settings: Settings) -> str:
    """The address of the server itself; may hold a password. ServiceUnreachable where none knows it."""
    if not sentinel.is_sentinel(settings.store_url):
        return settings.store_url
    known = sentinel.parse(settings.store_url)
    try:
        return known.url_of(*_sentinels(known).discover_master(known.master))
    except redis.RedisError as error:
        raise ServiceUnreachable(f"no Sentinel names a master: {error}", where=settings.shown_url) from None


def _sentinels(known: sentinel.Sentinels) -> Any:
    kind: Any = Sentinel  # redis-py has no types for it
    client = kind([])
    client.sentinels = [_Asked(host, port, **known.own) for host, port in known.hosts]
    return client


class _Asked(redis.Redis):
    """A Sentinel that redis-py names in errors by address and by what it told; else by its kind alone."""

    told = ""

    def sentinel_masters(self) -> Any:
        try:
            return super().sentinel_masters()
        except redis.RedisError as error:
            self.told = f" {error}"
            raise

    def __repr__(self) -> str:
        where = self.get_connection_kwargs()
        return f"{where['host']}:{where['port']}{self.told}"
