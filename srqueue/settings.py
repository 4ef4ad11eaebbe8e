"""The settings of a process: its variables, and what follows from them."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr, ValidationError

from srqueue import sentinel
from srqueue.errors import UsageError
from srqueue.server_url import check_door, with_tls, without_secrets
from srqueue.variables import Variables, parts_of

# sun_path holds 108 bytes on Linux and 104 on macOS, its NUL included.
_LONGEST_SOCKET_PATH = 100


class Settings(Variables):
    """Settings of one process; its fields are in variables.py."""

    @cached_property
    def user_name(self) -> str:
        """Who submits here, in the letters that a name may have."""
        if self.user:
            return self.user
        try:
            name = getpass.getuser()
        except (OSError, KeyError, ImportError):  # a container's user may have no name
            name = f"uid-{os.getuid()}" if hasattr(os, "getuid") else ""
        return re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip("._-")[:64] or "somebody"

    @property
    def yields(self) -> frozenset[str]:
        """What a worker yields for."""
        words = frozenset(self.yield_to.replace(",", " ").split())
        return frozenset() if "off" in words else words

    @property
    def ignored(self) -> tuple[str, ...]:
        """Names of programs that do not count as a user's."""
        return tuple(name.strip() for name in self.yield_ignore.split(",") if name.strip())

    @property
    def notified(self) -> frozenset[str]:
        """The occasions that are told; none where nobody is to be told."""
        return frozenset(self.notify_on.replace(",", " ").split() if self.notify else ())

    @property
    def signing_keys(self) -> tuple[str, ...]:
        """The keys, the one that signs first."""
        return parts_of(self.signing_key)

    @property
    def runs_root(self) -> Path:
        """Folder that holds one folder a job."""
        return (self.runs or self.home / "runs").absolute()

    def campaign_report(self, name: str) -> Path:
        """The report that a campaign leaves by itself, on the machine of the worker that noted its end."""
        return self.runs_root / "campaigns" / name / "report.html"

    @property
    def bank_root(self) -> Path:
        """Folder that holds one folder a crop bank."""
        return (self.bank or self.home / "bank").absolute()

    @property
    def data_root(self) -> Path:
        """Folder that holds one folder a data set that was brought here."""
        return (self.data or self.home / "data").absolute()

    @property
    def power(self) -> dict[str, str | float | None]:
        """What an attempt is told about the energy that it takes."""
        return {
            "cpu_watts": self.cpu_watts,
            "gpu_watts": self.gpu_watts,
            "price": self.kwh_price,
            "currency": self.currency,
        }

    @property
    def bank_place(self) -> dict[str, str | int | float]:
        """What an attempt is told about crop banks."""
        return {"folder": str(self.bank_root), "quota": self.bank_quota, "ram": self.bank_ram}

    @property
    def logs(self) -> Path:
        """Folder of the stack's logs."""
        return self.home / "logs"

    @cached_property
    def socket(self) -> Path:
        """Unix socket of the embedded server; in the temporary folder where the home path is too long."""
        near = self.home.absolute() / "run" / "redis.sock"
        if len(os.fsencode(near)) <= _LONGEST_SOCKET_PATH:
            return near
        digest = hashlib.sha256(os.fsencode(near)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"srqueue-{os.getuid()}-{digest}" / "redis.sock"

    @property
    def url_file(self) -> Path:
        """Where `srqueue migrate` notes what took the embedded server's place; for its owner's eyes only."""
        return self.home.absolute() / "redis-url"

    @property
    def from_file(self) -> bool:
        """Whether the server is the one that file names."""
        return bool(self.redis_url and self.redis_url.get_secret_value() == _noted(self.url_file))

    @property
    def store_url(self) -> str:
        """URL for redis-py. May hold a password: never print it; print `shown_url`."""
        if self.redis_url is None:
            return f"unix://{self.socket}?db=0"
        files = {
            "ssl_ca_certs": self.redis_ca,
            "ssl_certfile": self.redis_cert,
            "ssl_keyfile": self.redis_key,
        }
        return with_tls(self.redis_url.get_secret_value(), files)

    @property
    def broker_url(self) -> str:
        """The same server as Celery spells it."""
        parts = urlsplit(self.store_url)
        if sentinel.is_sentinel(self.store_url):
            return sentinel.parse(self.store_url).broker_url
        if parts.scheme != "unix":
            return self.store_url
        db = dict(parse_qsl(parts.query)).get("db", "0")
        return f"redis+socket://{parts.netloc}{parts.path}?virtual_host={db}"

    @property
    def broker_options(self) -> dict[str, Any]:
        """What Celery's transport is told beside its address."""
        known = sentinel.is_sentinel(self.store_url)
        return sentinel.parse(self.store_url).broker_options if known else {}

    @property
    def broker_tls(self) -> dict[str, str] | None:
        """Celery's `broker_use_ssl`, which Flower reads, too; None without TLS."""
        if sentinel.is_sentinel(self.store_url):
            return sentinel.parse(self.store_url).tls or None
        parts = urlsplit(self.store_url)
        said = {name: value for name, value in parse_qsl(parts.query) if name.startswith("ssl_")}
        return said if parts.scheme == "rediss" else None

    @property
    def shown_url(self) -> str:
        """The store's URL without its password."""
        known = sentinel.is_sentinel(self.store_url)
        return sentinel.shown(self.store_url) if known else without_secrets(self.store_url)


def load_settings() -> Settings:
    """Settings from the environment; UsageError names the variable that does not hold.

    What the environment lacks may stand in files of SRQUEUE_SECRETS, a folder, that are named like the
    variables in small letters: secrets of a container, credentials of a service unit.
    """
    secrets = os.environ.get("SRQUEUE_SECRETS")
    if secrets:
        _check_secrets(Path(secrets))
    try:
        settings = Settings(_secrets_dir=secrets or None)
    except ValidationError as error:
        first = error.errors()[0]
        name = "SRQUEUE_" + "_".join(str(p) for p in first["loc"]).upper().removeprefix("SRQUEUE_")
        raise UsageError(f"{name}: {first['msg'].removeprefix('Value error, ')}", where=name) from None
    settings = followed(settings) or settings
    if settings.redis_url is not None:  # as it was given: `store_url` reads it
        _check(settings, settings.redis_url.get_secret_value())
    return settings


def _check_secrets(folder: Path) -> None:
    """A wrong folder would be no error but a process that looks for its server elsewhere."""
    try:
        names = sorted(file.name for file in folder.iterdir())
    except OSError as error:
        what = "is no folder" if not isinstance(error, PermissionError) else "may not be read by this user"
        raise UsageError(f"SRQUEUE_SECRETS: {folder} {what}", where="SRQUEUE_SECRETS") from None
    unread = [name for name in names if name.startswith("srqueue_") and not os.access(folder / name, os.R_OK)]
    if unread or not any(name.startswith("srqueue_") for name in names):
        what = f"may not be read by this user: {unread[0]}" if unread else "has no file named srqueue_*"
        raise UsageError(f"SRQUEUE_SECRETS: {folder} {what}", where="SRQUEUE_SECRETS")


def on_server(settings: Settings, url: str) -> Settings:
    """The same settings on another server. UsageError where `url` is no address of one."""
    _check(settings, url)
    return settings.model_copy(update={"redis_url": SecretStr(url)})


def _check(settings: Settings, url: str) -> None:
    try:
        parts = urlsplit(url)
        if not sentinel.is_sentinel(url):  # which may have several
            _ = parts.port
    except ValueError:  # it repeats what it read for a port: of a password with a slash, the first half
        raise UsageError(
            "SRQUEUE_REDIS_URL cannot be read: its host or port is none",
            where="SRQUEUE_REDIS_URL",
            hint="such as redis://USER:PASSWORD@HOST:6379/0, in a password %2F for /, %40 for @, %23 for #",
        ) from None
    if parts.scheme not in ("redis", "rediss", "unix", sentinel.SCHEME, sentinel.SCHEME_TLS):
        raise UsageError(
            "SRQUEUE_REDIS_URL must begin with redis://, rediss://, unix://, sentinel:// or sentinels://",
            where="SRQUEUE_REDIS_URL",
        )
    if sentinel.is_sentinel(url):
        sentinel.parse(url)
    if not settings.redis_open:
        check_door(url)


def followed(settings: Settings) -> Settings | None:
    """Settings on the server that the embedded one's queue was moved to; None where none is known."""
    url = _noted(settings.url_file) if settings.redis_url is None else ""
    return settings.model_copy(update={"redis_url": SecretStr(url)}) if url else None


def _noted(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
