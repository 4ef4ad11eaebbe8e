"""URLs of a Redis or Valkey server: their TLS files, their secrets, and whether one asks who comes."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from srqueue import sentinel
from srqueue.errors import UsageError


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches it; an empty address is every interface."""
    if address == "localhost":
        return True
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def with_tls(url: str, files: Mapping[str, Path | None]) -> str:
    """A rediss:// or sentinels:// URL with its files as parameters: redis-py and Optuna read them there.

    `files`: by redis-py's names (ssl_ca_certs, ssl_certfile, ssl_keyfile). What the URL says itself stays.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("rediss", sentinel.SCHEME_TLS):
        return url
    told = {name: str(file.absolute()) for name, file in files.items() if file is not None}
    if parts.scheme == "rediss":
        told = {"ssl_cert_reqs": "required", **told}
    return urlunsplit(parts._replace(query=urlencode({**told, **dict(parse_qsl(parts.query))})))


def without_secrets(url: str) -> str:
    """The URL for people: no password, and nothing of TLS but its scheme."""
    parts = urlsplit(url)
    if parts.scheme == "rediss":
        kept = [(name, value) for name, value in parse_qsl(parts.query) if not name.startswith("ssl_")]
        parts = parts._replace(query=urlencode(kept))
    if parts.password is not None:
        host = parts.netloc.rpartition("@")[2]
        parts = parts._replace(netloc=f"{parts.username or ''}:***@{host}")
    if parts == urlsplit(url):  # put together again it would be another: unix:/path
        return url
    return urlunsplit(parts)


def check_door(url: str) -> None:
    """Raises UsageError where the server is beyond loopback and the URL has no password for it.

    Who can write to it can queue, read and end jobs.
    """
    parts = urlsplit(url)
    known = sentinel.is_sentinel(url)
    hosts = [host for host, _ in sentinel.parse(url).hosts] if known else [parts.hostname or ""]
    if parts.scheme == "unix" or parts.password or all(map(is_loopback, hosts)):
        return
    raise UsageError(
        f"the server on {', '.join(hosts) or 'an unnamed host'} would be used without a password",
        where="SRQUEUE_REDIS_URL",
        hint="give it one: rediss://USER:PASSWORD@HOST:PORT/0 (deploy/README.md); where nobody else reaches "
        "that network, or the server knows its clients by their certificates: SRQUEUE_REDIS_OPEN=true",
    )
