"""What it means where a server does not answer, and what to do: start it, or mend what is wrong with TLS."""

from __future__ import annotations

import re

from srqueue.errors import ServiceUnreachable
from srqueue.settings import Settings
from srqueue.store import tls_errors

_SENTINELS = "correct sentinel_user and sentinel_password in SRQUEUE_REDIS_URL"


def unreachable(settings: Settings, error: BaseException) -> ServiceUnreachable:
    """What to raise for an error of redis-py."""
    told = first_line(error)
    if (unread := _unread(settings)) is not None:
        why = "a file for TLS cannot be read"
    elif known := tls_errors.meaning(told):
        why = known[0]
    elif "AuthenticationError" in told:  # within what redis-py collects of Sentinels
        why = "a Sentinel refuses who asks"
    else:
        why = "Redis does not answer"
    if unread is None:
        why = f"{why}: {told}"
    return ServiceUnreachable(why, where=settings.shown_url, hint=hint_of(settings, error))


def hint_of(settings: Settings, error: BaseException) -> str:
    """What to do about an error of redis-py."""
    told = first_line(error)
    if (unread := _unread(settings)) is not None:
        return unread
    if known := tls_errors.meaning(told):
        return known[1]
    if "AuthenticationError" in told:
        return _SENTINELS
    plain = settings.store_url.startswith(("redis:", "sentinel:"))
    cut = plain and re.search("reset by peer|closed by server", told, re.IGNORECASE)
    return ("does it speak TLS? then rediss:// and SRQUEUE_REDIS_CA; else " if cut else "") + start_hint(
        settings
    )


def start_hint(settings: Settings) -> str:
    """What to start where Redis does not answer."""
    if settings.redis_url is None:
        return "start it: srqueue up"
    if settings.from_file:
        return f"start that server; {settings.url_file} names it since srqueue migrate"
    return "start that server, or unset SRQUEUE_REDIS_URL and run: srqueue up"


def first_line(error: BaseException) -> str:
    """The text without what redis-py adds: of Sentinels all settings of its client, so the passwords, too."""
    return (str(error) or type(error).__name__).splitlines()[0].partition(" : <")[0]


def _unread(settings: Settings) -> str | None:
    """Which file that TLS needs cannot be read."""
    if not settings.store_url.startswith(("rediss:", "sentinels:")):
        return None
    files = {"CA": settings.redis_ca, "CERT": settings.redis_cert, "KEY": settings.redis_key}
    for name, file in files.items():
        try:
            if file is not None:
                file.open("rb").close()
        except OSError as error:
            return f"SRQUEUE_REDIS_{name} names {file}: {error.strerror}"
    return None
