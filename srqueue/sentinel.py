"""An address of several Sentinels that know which server is the master.

sentinel://[user:password@]host[:port],host[:port].../master[?db=0&sentinel_user=...&sentinel_password=...]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from srqueue.errors import UsageError

SCHEME = "sentinel"
_PORT = 26379
_KNOWN = {"db", "sentinel_user", "sentinel_password"}


@dataclass(frozen=True)
class Sentinels:
    """Where they are, and what they and the server ask for. Holds passwords: never print it."""

    hosts: tuple[tuple[str, int], ...]
    master: str
    db: int = 0
    user: str | None = None
    password: str | None = None
    own_user: str | None = None  # of the Sentinels themselves
    own_password: str | None = None

    @property
    def own(self) -> dict[str, str]:
        """What the Sentinels ask for, as keywords of a client."""
        pairs = {"username": self.own_user, "password": self.own_password}
        return {name: value for name, value in pairs.items() if value}

    @property
    def server(self) -> dict[str, Any]:
        """What the server asks for, as keywords of a client."""
        pairs = {"username": self.user, "password": self.password}
        return {"db": self.db, **{name: value for name, value in pairs.items() if value}}

    @property
    def broker_url(self) -> str:
        """As Celery spells them: each an address of its own."""
        sign = self._sign
        return ";".join(f"sentinel://{sign}{host}:{port}/{self.db}" for host, port in self.hosts)

    @property
    def broker_options(self) -> dict[str, Any]:
        """What Celery's transport is told beside the address."""
        return {"master_name": self.master, "sentinel_kwargs": self.own}

    def url_of(self, host: str, port: int) -> str:
        """The address of one server, for what knows no Sentinels."""
        return f"redis://{self._sign}{host}:{port}/{self.db}"

    @property
    def _sign(self) -> str:
        if self.password is None:
            return ""
        return f"{quote(self.user or '', safe='')}:{quote(self.password, safe='')}@"


def is_sentinel(url: str) -> bool:
    """Whether it is such an address."""
    return urlsplit(url).scheme == SCHEME


def parse(url: str) -> Sentinels:
    """Raises UsageError, which does not repeat the address, where it does not hold."""
    parts = urlsplit(url)
    sign, _, places = parts.netloc.rpartition("@")
    user, _, password = sign.partition(":")
    said = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    master = unquote(parts.path.strip("/"))
    try:
        hosts = tuple(_place(place) for place in places.split(",") if place)
        db = int(said.get("db", "0"))
    except ValueError:
        raise _wrong("a port or the database is no number") from None
    if not hosts:
        raise _wrong("it names no host")
    if not master or "/" in master:
        raise _wrong("it must end with the name of the master")
    if unknown := sorted(set(said) - _KNOWN):
        raise _wrong(f"{unknown[0]} is none of {', '.join(sorted(_KNOWN))}")
    return Sentinels(
        hosts, master, db, unquote(user) or None, unquote(password) or None,
        said.get("sentinel_user"), said.get("sentinel_password"),
    )  # fmt: skip


def shown(url: str) -> str:
    """The address without passwords."""
    found = parse(url)
    sign = "" if found.password is None else f"{found.user or ''}:***@"
    return f"sentinel://{sign}{','.join(f'{host}:{port}' for host, port in found.hosts)}/{found.master}"


def _place(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text.strip("[]"), _PORT
    return host.strip("[]"), int(port)


def _wrong(why: str) -> UsageError:
    return UsageError(
        f"SRQUEUE_REDIS_URL: {why}", where="SRQUEUE_REDIS_URL",
        hint="such as sentinel://host1:26379,host2:26379,host3:26379/mymaster",
    )  # fmt: skip
