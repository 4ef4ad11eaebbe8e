"""Bank: crops out of the decoded pictures on disk.

Read by `pread`, not mapped: a disk that fails or a file that was cut is then an error, which is answered by
decoding the picture, and not a SIGBUS that ends the training; and threads wait without the interpreter lock.
Each tile is compared with its checksum the first time that a process reads it.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from srqueue.run.banks import RECORD_BYTES, BankDir, InUse
from workers.pixels import Pixels
from workers.trainer.data.layout import SUM_BYTES, TILE, TILE_BYTES, Layout, Plane, from_tiles

DONE, GREY, FAILED = 1, 2, 4
"""Flags of a record: the picture is there; its file is grey; it could not be decoded."""

RECORD = struct.Struct("<II")
"""Flags and a checksum over them, the picture's number and the checksums of its tiles."""


class Damaged(Exception):
    """The bank does not hold what it should; the picture must be decoded."""


class Bank:
    """Reads a bank. Raises OSError where it cannot be opened, Damaged where it is not of this size.

    Several threads may read at once. It is in use until it is closed.
    """

    def __init__(self, folder: BankDir, layout: Layout) -> None:
        self.folder, self.layout = folder, layout
        self._pixels = self._table = -1
        self._in_use = InUse(folder)
        try:
            self._pixels = os.open(folder.pixels_file, os.O_RDONLY | os.O_CLOEXEC)
            self._table = os.open(folder.table_file, os.O_RDONLY | os.O_CLOEXEC)
            if os.fstat(self._table).st_size != layout.table_bytes:
                raise Damaged(f"{folder.table_file} has another length than the listing says")
        except BaseException:
            self.close()
            raise
        self._there = bytearray(layout.pictures)  # flags of pictures whose record holds
        self._compared = bytearray(layout.tiles)
        self._damaged: set[int] = set()

    def has(self, index: int) -> bool:
        """Whether picture `index` is there by now; nothing is once it is closed."""
        if self._pixels < 0:
            return False
        return bool(self._there[index]) or self._look(index)

    def is_grey(self, index: int) -> bool:
        """Whether the file of a picture that is there is grey."""
        return bool(self._there[index] & GREY)

    def crop(self, index: int, top: int, left: int, side: int) -> tuple[Pixels, Pixels]:
        """(LR, HR) of a square of `side` LR pixels at an LR position. Raises Damaged."""
        lr, hr = self.layout.lr(index), self.layout.hr(index)
        k = hr.width // lr.width
        return (
            self._read(index, lr, top, left, side, side),
            self._read(index, hr, top * k, left * k, side * k, side * k),
        )

    def whole(self, index: int) -> tuple[Pixels, Pixels]:
        """(LR, HR) of a whole picture, copies. Raises Damaged."""
        lr, hr = self.layout.lr(index), self.layout.hr(index)
        return (
            np.ascontiguousarray(self._read(index, lr, 0, 0, lr.height, lr.width)),
            np.ascontiguousarray(self._read(index, hr, 0, 0, hr.height, hr.width)),
        )

    def close(self) -> None:
        """Gives the bank free."""
        open_ones = [fd for fd in (self._pixels, self._table) if fd >= 0]
        self._pixels = self._table = -1
        for fd in open_ones:
            os.close(fd)
        self._in_use.close()

    def _look(self, index: int) -> bool:
        """Looks for a picture in the table; a torn record is none."""
        if index in self._damaged:
            return False
        try:
            flags, crc = RECORD.unpack(self._from_table(index * RECORD_BYTES, RECORD_BYTES))
            if not flags & DONE:
                return False
            hr, lr = self.layout.hr(index), self.layout.lr(index)
            sums = self._from_table(self.layout.sums_at(hr.first), (hr.tiles + lr.tiles) * SUM_BYTES)
        except Damaged:
            return False
        if crc != record_sum(index, flags, sums):
            return False
        self._there[index] = flags
        return True

    def _read(self, index: int, plane: Plane, top: int, left: int, height: int, width: int) -> Pixels:
        y, x = top // TILE, left // TILE
        rows, columns = (top + height - 1) // TILE + 1 - y, (left + width - 1) // TILE + 1 - x
        tiles = np.empty((rows, columns, TILE_BYTES), np.uint8)
        try:
            for row in range(rows):
                self._fetch(plane.first + (y + row) * plane.columns + x, tiles[row])
        except Damaged:
            self._give_up(index)
            raise
        top, left = top - y * TILE, left - x * TILE
        return from_tiles(tiles)[top : top + height, left : left + width]

    def _fetch(self, first: int, out: NDArray[np.uint8]) -> None:
        """Tiles from number `first` on, as many as `out` holds; compared where they have not been yet."""
        count = len(out)
        try:
            got = os.preadv(self._pixels, [out.data], first * TILE_BYTES)
        except OSError as error:
            raise Damaged(str(error)) from None
        if got != out.nbytes:
            raise Damaged("the file of pixels is cut")
        if self._compared.count(0, first, first + count) == 0:
            return
        sums = np.frombuffer(self._from_table(self.layout.sums_at(first), count * SUM_BYTES), "<u4")
        for tile, expected in zip(out, sums, strict=True):
            if zlib.crc32(tile) != expected:
                raise Damaged("a tile is not what was written")
        self._compared[first : first + count] = b"\1" * count

    def _from_table(self, at: int, count: int) -> bytes:
        try:
            data = os.pread(self._table, count, at)
        except OSError as error:
            raise Damaged(str(error)) from None
        if len(data) != count:
            raise Damaged("the table is cut")
        return data

    def _give_up(self, index: int) -> None:
        """Not read again by this process, and made again by the next builder."""
        if self._pixels < 0:  # closed while a thread still read
            return
        self._damaged.add(index)
        self._there[index] = 0
        with contextlib.suppress(OSError):  # a bank that is read only
            fd = os.open(self.folder.table_file, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.pwrite(fd, bytes(RECORD_BYTES), index * RECORD_BYTES)
            finally:
                os.close(fd)


def record_sum(index: int, flags: int, sums: bytes) -> int:
    """The checksum of a record."""
    return zlib.crc32(sums, zlib.crc32(RECORD.pack(index, flags)))
