"""Crop banks of registered data sets: made by hand, found, and given up."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from srqueue.datasets.registry import Registry
from srqueue.datasets.tools import run_tool, say_on_stderr
from srqueue.errors import DataError
from srqueue.run.banks import BankDir, BankNote, find_banks, is_in_use, remove_bank, root_lock
from srqueue.settings import Settings

Progress = Callable[[int, int, int], None]
"""Gets how many pictures of how many are packed, and the bytes of all of them."""


@dataclass(frozen=True)
class FoundBank:
    """A bank on this machine. `done` of `pictures` were dealt with; `stored` and `size`: bytes now, and at
    the end; `used`: UTC seconds."""

    name: str
    identity: str
    scale: int
    path: str
    pictures: int
    done: int
    stored: int
    size: int
    used: float

    @property
    def complete(self) -> bool:
        """Whether nothing is left to pack."""
        return self.done == self.pictures


@dataclass(frozen=True)
class GivenUp:
    """A bank that `gc` removed, or would if nobody used it; `freed`: bytes, 0 where it was kept."""

    name: str
    scale: int
    path: str
    why: str
    freed: int


def pack(
    settings: Settings,
    name: str,
    scale: int | None = None,
    verify: bool = False,
    progress: Progress = lambda done, total, size: None,
    tell: Callable[[str], None] = say_on_stderr,
) -> dict[str, Any]:
    """Packs a data set into its crop bank, or goes on where that stopped. What `pack` of the data tools says.

    Raises UsageError for an unknown name, DataError where its LR pictures are for another scale, SrqueueError
    where there is no room.
    """
    registry = Registry(settings)
    entry = registry.get(name)
    if scale is not None and entry.scale not in (None, scale):
        raise DataError(f"the LR pictures of {name!r} are for scale {entry.scale}, not {scale}")

    def line(text: str) -> None:
        try:
            told = json.loads(text)
            progress(told["done"], told["total"], told["bytes"])
        except (ValueError, KeyError, TypeError):
            tell(text)

    request = {
        "listing": str(registry.listing_file(name)),
        "scale": scale or entry.scale or 2,
        "folder": str(settings.bank_root),
        "quota": settings.bank_quota,
        "verify": verify,
    }
    return run_tool("pack", request, line)


def banks(settings: Settings) -> list[FoundBank]:
    """All crop banks of this machine, the one least recently used first."""
    return [found for pair in find_banks(settings.bank_root) if (found := _found(*pair)) is not None]


def collect(settings: Settings, dry_run: bool = False) -> list[GivenUp]:
    """Removes the banks that nobody will use: of data sets that are not registered (any more), unfinished
    ones, and those that newer decoders have made anew; never one in use."""
    root = settings.bank_root
    if not root.is_dir():
        return []
    registered = {entry.identity for entry in Registry(settings).entries()}
    given_up: list[GivenUp] = []
    with root_lock(root):
        found = find_banks(root)
        newest = {(note.identity, note.scale): note.key for bank, note in found if _is_complete(bank, note)}
        for bank, note in found:
            if (why := _why_not(bank, note, registered, newest)) is None:
                continue
            freed = None if is_in_use(bank) else bank.stored() if dry_run else remove_bank(bank)
            if freed is None:
                why += "; kept, as it is in use"
            given_up.append(GivenUp(note.name, note.scale, str(bank.path), why, freed or 0))
    return given_up


def _why_not(
    bank: BankDir, note: BankNote, registered: set[str], newest: dict[tuple[str, int], str]
) -> str | None:
    if note.identity not in registered:
        return "its data set is not registered"
    if not _is_complete(bank, note):
        return "unfinished"
    if newest.get((note.identity, note.scale)) != note.key:
        return f"made anew since (this one by {note.made_by})"
    return None


def _is_complete(bank: BankDir, note: BankNote) -> bool:
    try:
        return bank.done(note.pictures) == note.pictures
    except OSError:
        return False


def _found(bank: BankDir, note: BankNote) -> FoundBank | None:
    try:
        done = bank.done(note.pictures)
    except OSError:
        return None
    return FoundBank(
        note.name, note.identity, note.scale, str(bank.path), note.pictures, done, bank.stored(), note.bytes,
        bank.used(),
    )  # fmt: skip
