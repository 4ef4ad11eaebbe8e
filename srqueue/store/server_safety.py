"""What a server says of itself that its operator should know: holes by its version, and an open door."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import redis

from srqueue import sentinel
from srqueue.errors import ServiceUnreachable, UsageError
from srqueue.server_url import is_loopback
from srqueue.store.connection import Connection
from srqueue.store.servers import ANSWER_SECONDS, CONNECT_SECONDS

_MENDED = {
    "redis": {(6, 2): 20, (7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2},
    "valkey": {(7, 2): 11, (8, 0): 6, (8, 1): 4},
}
"""Where CVE-2025-49844 and -46817 to -46819 are mended: line -> first patch. Newer lines never had them."""


def hole(name: str, version: str) -> str | None:
    """A warning where Lua of that version runs code of whoever may run Lua, by its number; else None."""
    numbers = [int(part) for part in version.split(".")[:3] if part.isdigit()]
    mended = _MENDED.get(name, {})
    if len(numbers) < 3 or not mended or (numbers[0], numbers[1]) > max(mended):
        return None
    patch = mended.get((numbers[0], numbers[1]))
    if patch is not None and numbers[2] >= patch:
        return None
    line = (numbers[0], numbers[1]) if patch is not None else max(mended)
    to = f"{line[0]}.{line[1]}.{mended[line]}"
    return (
        f"{name} {version} by its number lets whoever may run Lua run any code (CVE-2025-49844): take {to} "
        "or a newer one. A distribution's package may be mended under the old number, such as Debian's "
        "7.0.15 from deb12u10 on"
    )


def named(connection: Connection) -> tuple[str, str] | None:
    """(redis or valkey, version) of the server; None where this user may not ask."""
    try:
        with connection.reach() as client:
            found = client.info("server")
    except ServiceUnreachable:
        return None
    name = str(found.get("server_name", "redis"))
    return name, str(found.get(f"{name}_version", ""))


def refuse_anybody(connection: Connection) -> None:
    """Raises UsageError where a server beyond loopback answers whoever gives no name (SRQUEUE_REDIS_OPEN)."""
    settings = connection.settings
    url = settings.store_url
    if sentinel.is_sentinel(url):  # the server that they name
        with connection.reach() as client:
            url = sentinel.parse(url).url_of(*client.connection_pool.get_master_address())
    parts = urlsplit(url)
    if settings.redis_open or parts.scheme == "unix" or is_loopback(parts.hostname or ""):
        return
    nameless = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    client = redis.Redis.from_url(
        nameless, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=CONNECT_SECONDS
    )
    try:
        client.ping()
    except redis.RedisError:
        return  # it asks for a name, or is not there: somebody else's affair
    finally:
        client.close()
    raise UsageError(
        "this Redis answers anybody, without a name or a password",
        where=settings.shown_url,
        hint="switch its default user off (deploy/redis/users.acl.in), or, where nobody else reaches it: "
        "SRQUEUE_REDIS_OPEN=true",
    )
