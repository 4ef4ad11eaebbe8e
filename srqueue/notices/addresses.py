"""The addresses of SRQUEUE_NOTIFY, and how they may be shown."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_NAMES_A_HOST = frozenset(
    ("json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos", "gotify", "gotifys", "ntfys")
)
"""Schemes whose host is a host; of the others it may be a token."""
_BETWEEN = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")


def split(text: str) -> list[str]:
    """The addresses in a text, between commas or blanks: a comma within one does not end it."""
    return [part.strip().rstrip(",") for part in _BETWEEN.split(text.strip(" ,\t\n")) if part.strip(" ,\t\n")]


def redacted(address: str) -> str:
    """Scheme, and the host where it is one; never user, password, path or query."""
    scheme = address.partition("://")[0]
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return "***"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if scheme.lower() not in _NAMES_A_HOST or not host:
        return f"{scheme}://***"
    return f"{scheme}://{host}" + (f":{port}" if port else "") + "/***"
