"""Our Lua scripts, and those of kombu and redis-py, in the server's memory.

A user of Redis who may load a script may run any, so a hardened server lets one user load and the others only
call (deploy/redis/users.acl.in). Scripts are gone when the server restarts: whoever loads them looks again.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

import kombu.transport.redis
from redis.lock import Lock

from srqueue.store.connection import Connection
from srqueue.store.scripts import SHARED, script

_OF_KOMBU = ("REFRESH_BINDING", "SWEEP_BINDINGS")
_OF_LOCKS = ("LUA_RELEASE_SCRIPT", "LUA_EXTEND_SCRIPT", "LUA_REACQUIRE_SCRIPT")


def sources() -> dict[str, str]:
    """SHA-1 -> text of every script that a process of srqueue calls."""
    folder = files("srqueue.store") / "lua"
    names = sorted(f.name.removesuffix(".lua") for f in folder.iterdir() if f.name.endswith(".lua"))
    texts = [script(name) for name in names if name not in SHARED]
    # Inner names: with another version of kombu they may be called otherwise. A test runs a worker on what is
    # loaded here and nothing else.
    texts += [str(getattr(kombu.transport.redis, name)) for name in _OF_KOMBU]
    texts += [str(getattr(Lock, name)) for name in _OF_LOCKS]
    return {hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(): text for text in texts}


def load_missing(connection: Connection) -> int:
    """Loads what the server does not have; returns how many that were. Raises ServiceUnreachable."""
    wanted = sources()
    with connection.reach() as client:
        there = client.script_exists(*wanted)
        missing = [text for text, known in zip(wanted.values(), there, strict=True) if not known]
        for text in missing:
            client.script_load(text)
    return len(missing)
