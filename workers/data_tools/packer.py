"""Fills a crop bank: decodes what it lacks, writes tiles, then the records that say so."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from srqueue.errors import DataError, SrqueueError
from srqueue.run.banks import RECORD_BYTES, BankDir, reserve
from srqueue.run.listing import Listing
from workers.trainer.data.bank import DONE, FAILED, GREY, RECORD, Bank, Damaged, record_sum
from workers.trainer.data.decode import DataChanged, DataMissing
from workers.trainer.data.layout import TILE_BYTES, Layout, to_tiles
from workers.trainer.data.pairs import Source

_TOGETHER = 64 << 20
"""Bytes of pixels that are made durable together; a kill loses as many at most."""

_SECONDS = 2.0
_LOOK = 0.5

Told = Callable[[int], None]
"""Gets the number of pictures that were dealt with by now."""


class Packer:
    """Fills the bank in `folder` from `listing`. Raises OSError where it cannot be opened for writing.

    Pixels are durable before the record of their picture is written, and a record carries a checksum of the
    checksums of its tiles: whatever moment it is killed at, what has a record is whole, and the rest is made
    by the next one.
    """

    def __init__(self, folder: BankDir, listing: Listing, scale: int, threads: int) -> None:
        self._folder, self._listing, self._threads = folder, listing, max(1, threads)
        self._layout = Layout(listing, scale)
        self._source = Source(tuple(map(Path, listing.hr_roots)), tuple(map(Path, listing.lr_roots)), scale)
        self._bank = Bank(folder, self._layout)  # held in use, too
        self._pixels = os.open(folder.pixels_file, os.O_WRONLY | os.O_CLOEXEC)
        self._table = os.open(folder.table_file, os.O_RDWR | os.O_CLOEXEC)
        self.failed: dict[str, str] = {}

    def run(self, told: Told, verify: bool = False) -> int:
        """Until every picture was dealt with; how many are there. Waits for another builder to end.

        `verify` reads what is there and makes what is damaged again. Raises SrqueueError on a full disk.
        """
        with self._alone(told):
            if verify:
                self._verify(told)
            todo = [i for i in range(self._layout.pictures) if not self._bank.has(i)]
            there = self._layout.pictures - len(todo)
            told(there)
            waiting: list[tuple[int, int, bytes]] = []
            size, since = 0, time.monotonic()
            for done, (index, flags, tiles) in enumerate(self._decoded(todo), there + 1):
                waiting.append((index, flags, self._write(index, tiles)))
                size += tiles.nbytes
                if size >= _TOGETHER or time.monotonic() - since > _SECONDS:
                    self._note(waiting)
                    told(done)
                    waiting, size, since = [], 0, time.monotonic()
            self._note(waiting)
            told(self._layout.pictures)
        return self._layout.pictures - len(self.failed)

    def close(self) -> None:
        """Closes the files."""
        os.close(self._pixels)
        os.close(self._table)
        self._bank.close()

    @contextmanager
    def _alone(self, told: Told) -> Iterator[None]:
        """Holds the builder's lock; while another has it, tells how far that one is."""
        with self._folder.build_file.open("a") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    told(self._folder.done(self._layout.pictures))
                    time.sleep(_LOOK)
            yield

    def _decoded(self, todo: list[int]) -> Iterator[tuple[int, int, np.ndarray]]:
        """(index, flags, tiles) in order, decoded by threads a little ahead."""
        with ThreadPoolExecutor(self._threads) as pool:
            ahead: deque[Future[tuple[int, int, np.ndarray]]] = deque()
            try:
                for index in todo:
                    ahead.append(pool.submit(self._decode, index))
                    if len(ahead) > 2 * self._threads:
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:
                for future in ahead:
                    future.cancel()

    def _decode(self, index: int) -> tuple[int, int, np.ndarray]:
        picture = self._listing.pictures[index]
        try:
            pair = self._source.load(picture)
        except DataError as error:
            self.failed[picture.path] = error.message
            # What may come back as it was is looked at again by the next one.
            flags = 0 if isinstance(error, DataMissing | DataChanged) else FAILED
            return index, flags, np.empty((0, TILE_BYTES), np.uint8)
        tiles = np.concatenate([to_tiles(pair.hr), to_tiles(pair.lr)])
        return index, DONE | (GREY if pair.grey else 0), tiles

    def _write(self, index: int, tiles: np.ndarray) -> bytes:
        """Writes the pixels of a picture; the checksums of its tiles."""
        if shutil.disk_usage(self._folder.path).free < reserve(self._folder.path) + tiles.nbytes:
            raise SrqueueError(
                "the disk is nearly full: the bank is left unfinished",
                where=str(self._folder.path),
                hint="free some space, or set SRQUEUE_BANK to a larger disk: it goes on where it stopped",
            )
        at, data = self._layout.hr(index).first * TILE_BYTES, memoryview(tiles.tobytes())
        while data:
            count = os.pwrite(self._pixels, data, at)
            data, at = data[count:], at + count
        return np.array([zlib.crc32(tile) for tile in tiles], "<u4").tobytes()

    def _note(self, waiting: list[tuple[int, int, bytes]]) -> None:
        """Makes the pixels durable, then says that they are there."""
        if not waiting:
            return
        os.fdatasync(self._pixels) if hasattr(os, "fdatasync") else os.fsync(self._pixels)
        for index, flags, sums in waiting:
            os.pwrite(self._table, sums, self._layout.sums_at(self._layout.hr(index).first))
            os.pwrite(self._table, RECORD.pack(flags, record_sum(index, flags, sums)), index * RECORD_BYTES)
        os.fsync(self._table)

    def _verify(self, told: Told) -> None:
        """Reads every picture that is there: one that is damaged loses its record."""
        for index in range(self._layout.pictures):
            if self._bank.has(index):
                try:
                    self._bank.whole(index)
                except Damaged:
                    continue
            told(index + 1)


def end_with_stdin() -> None:
    """Ends this process when its parent does: the other end of its stdin closes."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=wait, name="parent", daemon=True).start()
