"""An address of several Sentinels that know which server is the master.

sentinel://[user:password@]host[:port],host[:port].../master[?db=0&sentinel_user=...&sentinel_password=...]

sentinels:// is the same by TLS, to the Sentinels and to the servers that they name. Its files are parameters
of the address by redis-py's names (ssl_ca_certs, ssl_certfile, ssl_keyfile), as in rediss://. Certificates
and the names or addresses in them are always checked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from srqueue.errors import UsageError

SCHEME, SCHEME_TLS = "sentinel", "sentinels"
_PORT = 26379
_KNOWN = {"db", "sentinel_user", "sentinel_password"}
_FILES = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}
# One that is gone may be asked first: the next one is to be asked soon. redis-py tries it ten times again.
_SHORT = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0, "retry": None}


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
    tls: dict[str, str] = field(default_factory=dict)
    """What TLS needs, by redis-py's names; empty without TLS."""

    @property
    def own(self) -> dict[str, Any]:
        """How the Sentinels are asked, as keywords of a client."""
        pairs = {"username": self.own_user, "password": self.own_password}
        return {**{name: value for name, value in pairs.items() if value}, **self._ssl, **_SHORT}

    @property
    def server(self) -> dict[str, Any]:
        """What the server asks for, as keywords of a client."""
        pairs = {"username": self.user, "password": self.password}
        return {"db": self.db, **{name: value for name, value in pairs.items() if value}, **self._ssl}

    @property
    def broker_url(self) -> str:
        """As Celery spells them: each an address of its own."""
        sign = self._sign
        return ";".join(f"sentinel://{sign}{_spelt(host)}:{port}/{self.db}" for host, port in self.hosts)

    @property
    def broker_options(self) -> dict[str, Any]:
        """What Celery's transport is told beside the address."""
        return {"master_name": self.master, "sentinel_kwargs": self.own}

    def url_of(self, host: str, port: int) -> str:
        """The address of one server, for what knows no Sentinels."""
        place = f"{self._sign}{_spelt(host)}:{port}/{self.db}"
        return f"rediss://{place}?{urlencode(self.tls)}" if self.tls else f"redis://{place}"

    @property
    def _ssl(self) -> dict[str, Any]:
        return {"ssl": True, **self.tls} if self.tls else {}

    @property
    def _sign(self) -> str:
        if self.password is None:
            return ""
        return f"{quote(self.user or '', safe='')}:{quote(self.password, safe='')}@"


def is_sentinel(url: str) -> bool:
    """Whether it is such an address."""
    return urlsplit(url).scheme in (SCHEME, SCHEME_TLS)


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
    encrypted = parts.scheme == SCHEME_TLS
    known = _KNOWN | _FILES if encrypted else _KNOWN
    if unknown := sorted(set(said) - known):
        raise _wrong(f"{unknown[0]} is none of {', '.join(sorted(known))}")
    files = {name: said[name] for name in sorted(_FILES & set(said))}
    return Sentinels(
        hosts, master, db, unquote(user) or None, unquote(password) or None,
        said.get("sentinel_user"), said.get("sentinel_password"),
        {"ssl_cert_reqs": "required", **files} if encrypted else {},
    )  # fmt: skip


def shown(url: str) -> str:
    """The address without passwords."""
    found = parse(url)
    sign = "" if found.password is None else f"{found.user or ''}:***@"
    scheme = SCHEME_TLS if found.tls else SCHEME
    return (
        f"{scheme}://{sign}{','.join(f'{_spelt(host)}:{port}' for host, port in found.hosts)}/{found.master}"
    )


def _spelt(host: str) -> str:
    return f"[{host}]" if ":" in host else host


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
