"""Who may act: whom Flower has signed in, where it is not read-only."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from srqueue.monitor.refusals import Refused

_HOW = "set SRQUEUE_FLOWER_AUTH=user:password and start Flower again (srqueue down; srqueue up)"


def has_auth(options: Any) -> bool:
    """Whether this Flower asks who somebody is. `options`: Flower's."""
    return bool(options.basic_auth or options.auth)


def why_not(options: Any) -> Refused | None:
    """Why nobody may act here; None where whoever is signed in may."""
    if options.read_only:
        return Refused(403, "this Flower is read-only", "start it without --read-only to act from here")
    if not has_auth(options):
        return Refused(401, "nobody is signed in: this Flower has no password, so it only shows", _HOW)
    return None


def user_of(current: Any, authorization: str) -> str:
    """The name of whom Flower has let in. `current`: Flower's word, which with basic auth is only "yes"."""
    if isinstance(current, str | bytes):
        return current if isinstance(current, str) else current.decode(errors="replace")
    scheme, _, coded = authorization.partition(" ")
    try:
        return b64decode(coded).decode().partition(":")[0] if scheme.lower() == "basic" else "?"
    except ValueError:
        return "?"


def only_shows(options: Any) -> str | None:
    """The same in one sentence for a page."""
    refused = why_not(options)
    return f"{refused.message}; {refused.hint}" if refused else None
