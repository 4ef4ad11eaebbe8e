"""Who acts: what the audit trail says of the acts of this process, or of one request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Literal

Origin = Literal["cli", "flower", "python", "worker"]


@dataclass(frozen=True)
class Actor:
    """`who`: user@host, or Flower's user; `origin`: by what; `address`: of the other end, of a request."""

    who: str
    origin: Origin
    address: str = ""


_actor: ContextVar[Actor | None] = ContextVar("actor", default=None)
_called: ContextVar[str] = ContextVar("called", default="")
_quiet: ContextVar[bool] = ContextVar("quiet", default=False)
_origin: list[Origin] = ["python"]


def acts_by(origin: Origin) -> None:
    """What this process is, from now on."""
    _origin[:] = [origin]


def actor() -> Actor:
    """Whoever acts now."""
    return _actor.get() or Actor(_user(), _origin[0])


@contextmanager
def acting_as(who: Actor) -> Iterator[None]:
    """Acts within the block are those of `who`."""
    before = _actor.set(who)
    try:
        yield
    finally:
        _actor.reset(before)


@contextmanager
def called(act: str) -> Iterator[None]:
    """A submit within the block is told as `act`: `upgrade of 1a2b3c`."""
    before = _called.set(act)
    try:
        yield
    finally:
        _called.reset(before)


def name_of(act: str) -> str:
    """How an act is told."""
    return _called.get() or act


@contextmanager
def one_act() -> Iterator[None]:
    """What is done within the block belongs to an act that is noted already, and is not noted itself."""
    before = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(before)


def is_noted() -> bool:
    """Whether an act is noted now."""
    return not _quiet.get()


@cache
def _user() -> str:
    """Who runs this process. The name is the system's: one of the environment could be anybody's."""
    import os
    import socket

    try:
        import pwd

        name = pwd.getpwuid(os.getuid()).pw_name
    except (KeyError, ImportError):  # a container's user without a name
        name = str(os.getuid()) if hasattr(os, "getuid") else "?"
    return f"{name}@{socket.gethostname()}"
