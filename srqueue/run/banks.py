"""Crop banks: the decoded pictures of a data set on this machine's disk, shared by all jobs.

<root>/<key>/
  bank.json  whose pictures, how large
  pixels     tiles of HR and LR, at places that follow from the listing (workers.trainer.data.layout)
  table      eight bytes a picture that say whether it is there, then a checksum for each tile
  in_use     locked (flock) shared by who reads; its time says when it was last used
  building   locked by the one process that fills it
A folder appears and goes whole, by renaming, under the lock of the root.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from srqueue.run.atomic import write_json
from srqueue.run.held import is_held

BANK_VERSION = 1
RECORD_BYTES = 8
"""Of a picture in the table. Its first byte is zero until the picture was dealt with."""

_LARGEST_RESERVE = 10 << 30


@dataclass(frozen=True)
class BankNote:
    """What bank.json says. `made_by`: versions of what decoded; `bytes`: once it is complete."""

    key: str
    name: str
    identity: str
    scale: int
    made_by: str
    pictures: int
    bytes: int
    table_bytes: int
    created: float
    v: int = BANK_VERSION


@dataclass(frozen=True)
class BankDir:
    """The folder of one bank: every file name comes from here."""

    path: Path

    @property
    def note_file(self) -> Path:
        """The BankNote."""
        return self.path / "bank.json"

    @property
    def pixels_file(self) -> Path:
        """Tiles, sparse until they are there."""
        return self.path / "pixels"

    @property
    def table_file(self) -> Path:
        """Records, then checksums."""
        return self.path / "table"

    @property
    def use_file(self) -> Path:
        """Its lock and its time."""
        return self.path / "in_use"

    @property
    def build_file(self) -> Path:
        """The builder's lock."""
        return self.path / "building"

    def note(self) -> BankNote | None:
        """What it holds; None where there is no bank, or one of another version."""
        try:
            raw = json.loads(self.note_file.read_text())
            return BankNote(**raw) if raw["v"] == BANK_VERSION else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def done(self, pictures: int) -> int:
        """How many pictures were dealt with. Raises OSError where the table cannot be read."""
        with self.table_file.open("rb") as file:
            records = file.read(pictures * RECORD_BYTES)
        return len(records) // RECORD_BYTES - records[::RECORD_BYTES].count(0)

    def stored(self) -> int:
        """Bytes on disk now."""
        total = 0
        for file in (self.pixels_file, self.table_file):
            with contextlib.suppress(OSError):
                total += file.stat().st_blocks * 512
        return total

    def used(self) -> float:
        """When it was last used, UTC seconds."""
        try:
            return self.use_file.stat().st_mtime
        except OSError:
            return 0.0


class InUse:
    """Holds a bank against removal while it is open. Raises OSError where there is none (any more)."""

    def __init__(self, bank: BankDir) -> None:
        self._fd = os.open(bank.use_file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_SH)
            # It may have gone between the two.
            if not os.path.samestat(os.fstat(self._fd), bank.use_file.stat()):
                raise FileNotFoundError(f"the bank {bank.path} has just been removed")
        except BaseException:
            os.close(self._fd)
            raise
        with contextlib.suppress(OSError):  # not ours, or on a disk that is read only
            os.utime(bank.use_file)

    def close(self) -> None:
        """Gives it free. Said twice it does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def find_banks(root: Path) -> list[tuple[BankDir, BankNote]]:
    """All banks under `root`, the one least recently used first."""
    if not root.is_dir():
        return []
    found = [BankDir(path) for path in root.iterdir() if not path.name.startswith(".")]
    noted = [(bank, note) for bank in found if (note := bank.note()) is not None]
    return sorted(noted, key=lambda pair: pair[0].used())


def remove_bank(bank: BankDir) -> int | None:
    """Removes a bank; the bytes that were freed, None where somebody uses it. Call it under `root_lock`."""
    try:
        fd = os.open(bank.use_file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return _take_away(bank)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _take_away(bank)
    except BlockingIOError:
        return None
    finally:
        os.close(fd)


def is_in_use(bank: BankDir) -> bool:
    """Whether somebody reads or fills it."""
    return is_held(bank.use_file)


@contextmanager
def root_lock(root: Path) -> Iterator[None]:
    """Who makes or removes banks does it alone. What a crash left half made or half removed goes first."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in root.glob(".bank-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def create_bank(
    root: Path, note: BankNote, quota: int, tell: Callable[[str], None] = lambda text: None
) -> BankDir | str:
    """The bank of `note`, made empty where there is none; a sentence where there is no room for it.

    `quota`: bytes for all banks together, 0 for no limit. Those least recently used give way, which is told,
    never one in use. Raises OSError where nothing can be written.
    """
    bank = BankDir(root / note.key)
    with root_lock(root):
        if bank.note() is not None:
            return bank
        if told := _make_room(root, note.bytes + note.table_bytes, quota, tell):
            return told
        new = BankDir(root / f".bank-{secrets.token_hex(8)}")
        new.path.mkdir()
        for file, size in ((new.pixels_file, note.bytes), (new.table_file, note.table_bytes)):
            with file.open("wb") as out:
                out.truncate(size)
        for file in (new.use_file, new.build_file):
            file.touch()
        write_json(new.note_file, asdict(note))
        if bank.path.exists():  # of another version, or without its note
            _take_away(bank)
        new.path.rename(bank.path)
    return bank


def reserve(root: Path) -> int:
    """Bytes of the disk that are left to checkpoints and everybody else: a twentieth, at most 10 GiB."""
    return min(shutil.disk_usage(root).total // 20, _LARGEST_RESERVE)


def _make_room(root: Path, needed: int, quota: int, tell: Callable[[str], None]) -> str | None:
    """Removes banks until `needed` more bytes fit; why they never will, where that is so: then none goes."""
    banks = find_banks(root)
    planned = sum(note.bytes + note.table_bytes for _, note in banks)
    promised = sum(max(0, note.bytes - bank.stored()) for bank, note in banks)
    over_quota = planned + needed - quota if quota else 0
    over_disk = needed + promised + reserve(root) - shutil.disk_usage(root).free
    # By what the disk would have gained at the end: what is stored, and what was promised.
    free = [
        (bank, note, note.bytes + note.table_bytes, max(note.bytes, bank.stored()))
        for bank, note in banks
        if not is_in_use(bank)
    ]
    if over_quota > sum(size for _, _, size, _ in free):
        return f"it needs {gigabytes(needed)}, SRQUEUE_BANK_QUOTA is {gigabytes(quota)}"
    if over_disk > sum(size for _, _, _, size in free):
        return f"it needs {gigabytes(needed)}, and the disk of {root} has not so much to spare"
    for bank, note, size, stored in free:
        if over_quota <= 0 and over_disk <= 0:
            break
        if (freed := remove_bank(bank)) is not None:
            over_quota, over_disk = over_quota - size, over_disk - stored
            tell(f"the crop bank of {note.name} at scale {note.scale} ({gigabytes(freed)}) gave way")
    return None if over_quota <= 0 and over_disk <= 0 else "the banks that would give way are in use"


def _take_away(bank: BankDir) -> int:
    stored = bank.stored()
    gone = bank.path.with_name(f".bank-{secrets.token_hex(8)}")
    bank.path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
    return stored


def gigabytes(count: float) -> str:
    """`1.2 GB`, `340 MB`: a size that a person reads."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
