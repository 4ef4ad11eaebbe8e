"""The pairs of one data set: decoded at first use, kept as uint8 while memory lasts, or read from a bank."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from srqueue.errors import DataError
from srqueue.run.listing import Picture
from workers.trainer import heart
from workers.trainer.data.bank import Bank, Damaged
from workers.trainer.data.decode import REPAIR, DataMissing, check_content
from workers.trainer.data.pairs import Pair, Source
from workers.trainer.data.resize import Pixels

GOLDEN = (math.sqrt(5) - 1) / 2

_CGROUP = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def free_memory() -> int:
    """Bytes that this process could still take, in this container."""
    free = psutil.virtual_memory().available
    for file in _CGROUP:
        try:
            free = min(free, int(file.read_text()) - psutil.Process().memory_info().rss)
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return max(0, free)


MOUNT = "mount its disk or bring the pictures back; until then the job waits"


def spread(count: int) -> Iterator[int]:
    """0 .. count - 1, each once, in an order of which every beginning lies evenly over the whole.

    Steps of the golden section round a circle; each is told as its place among all of them.
    """
    places = [0] * count
    for place, i in enumerate(sorted(range(count), key=lambda i: i * GOLDEN % 1)):
        places[i] = place
    return iter(places)


class Pictures:
    """Pairs by index, of one root or several (see srqueue.run.listing.Picture).

    They are kept while `keep_free` bytes of memory stay free (by default half of what is free now); the
    others are read from the bank where it has them, and decoded again each time they are used where not.
    Several threads may ask at once.
    """

    def __init__(
        self,
        pictures: tuple[Picture, ...],
        hr_root: Path | Sequence[Path],
        lr_root: Path | Sequence[Path] | None,
        scale: int,
        keep_free: int | None = None,
    ) -> None:
        self.pictures = pictures
        self.scale = scale
        self.source = Source(hr_root, lr_root, scale)
        self.keep_free = free_memory() // 2 if keep_free is None else keep_free
        self._kept: dict[int, Pair] = {}
        self._bank: Bank | None = None
        self._places: list[int] = []
        self.decoded = 0
        """How often a picture was decoded: a sign of life of threads that decode ahead."""

    def __len__(self) -> int:
        return len(self.pictures)

    def use_bank(self, bank: Bank, places: dict[str, int]) -> None:
        """From now on `bank` is asked; `places`: the number of each picture in it, by its path."""
        self._bank, self._places = bank, [places[p.path] for p in self.pictures]

    @property
    def bytes(self) -> int:
        """Of all pairs, decoded: known from the listing."""
        sizes = (self.lr_size(index) for index in range(len(self)))
        return sum(h * w * 3 * (self.scale**2 + 1) for h, w in sizes)

    def check_folders(self) -> None:
        """Raises DataMissing where a folder is gone; a disk that is not mounted leaves an empty one."""
        for root in self.source.roots:
            if not root.is_dir():
                raise DataMissing("the folder of a data set is not there", where=str(root), hint=MOUNT)
            if not any(root.iterdir()):
                told = "the folder of a data set is empty: its pictures are not there"
                raise DataMissing(told, where=str(root), hint=MOUNT)

    def check_files(self) -> None:
        """Looks at the size of every file, without reading it; what the bank has is not needed.

        Raises DataMissing where one is gone, DataError where one is not as large as it was when it was added.
        """
        self.check_folders()
        for path, size, _ in self._files():
            try:
                found = path.stat().st_size
            except OSError as error:
                raise DataMissing(
                    f"cannot read a picture: {error.strerror}", where=str(path), hint=REPAIR
                ) from None
            if found != size:
                raise DataError(
                    f"a picture has {found} bytes, not {size} as when the data set was added",
                    where=str(path),
                    hint=REPAIR,
                )

    def check_contents(self, seconds: float) -> int:
        """Compares files with their SHA-256 until all are done or the time is over, at least one; how many.

        They are taken in a fixed order, all over the data set. Raises DataMissing and DataError as reading
        them would.
        """
        files, limit = self._files(), time.monotonic() + seconds
        for done, index in enumerate(spread(len(files)), 1):
            path, _, sha256 = files[index]
            check_content(path, sha256)
            if time.monotonic() > limit:
                return done
        return len(files)

    @property
    def files(self) -> int:
        """Files of HR and LR pictures that may still be read."""
        return len(self._files())

    def _files(self) -> list[tuple[Path, int, str]]:
        """(path, bytes, SHA-256) of every file that may still be read, as listed."""
        needed = [p for index, p in enumerate(self.pictures) if not self._in_bank(index)]
        return [file for p in needed for file in self.source.files(p)]

    def lr_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the LR picture, from the listing: known before it is decoded."""
        picture = self.pictures[index]
        return picture.height // self.scale, picture.width // self.scale

    def __getitem__(self, index: int) -> Pair:
        pair = self._kept.get(index) or self._from_bank(index) or self._decode(index)
        if index not in self._kept and free_memory() > self.keep_free:
            self._kept[index] = pair
        return pair

    def crop(self, index: int, top: int, left: int, side: int) -> tuple[Pixels, Pixels]:
        """(LR, HR) of the square of `side` LR pixels at (top, left) of the LR picture; not to be written to.

        Raises DataError where the picture must be decoded and cannot be.
        """
        bank = self._bank
        if bank is not None and index not in self._kept and bank.has(self._places[index]):
            try:
                return bank.crop(self._places[index], top, left, side)
            except Damaged:  # the bank leaves it out from now on
                pass
        pair, k = self[index], self.scale
        return (
            pair.lr[top : top + side, left : left + side],
            pair.hr[top * k : (top + side) * k, left * k : (left + side) * k],
        )

    def _in_bank(self, index: int) -> bool:
        return self._bank is not None and self._bank.has(self._places[index])

    def _from_bank(self, index: int) -> Pair | None:
        """A whole pair out of the bank; None where it has none, or a damaged one."""
        if self._bank is None or not self._in_bank(index):
            return None
        place = self._places[index]
        grey = self._bank.is_grey(place)
        try:
            return Pair(self.pictures[index].path, *self._bank.whole(place), grey)
        except Damaged:
            return None

    def _decode(self, index: int) -> Pair:
        if threading.current_thread() is threading.main_thread():
            heart.beat()
        pair = self.source.load(self.pictures[index])
        self.decoded += 1
        return pair
