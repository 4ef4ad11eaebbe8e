"""Where the pixels of a bank lie: a function of the listing and the scale alone.

A tile is 64x64 RGB, three pages of memory and disk, so that a random crop touches few of them: about a
quarter of what rows of a large picture would. Each picture's HR tiles stand before its LR tiles, both in rows
from the top left; the last ones of a row or column are filled up with zeros.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from srqueue.run.banks import BANK_VERSION, RECORD_BYTES, BankNote
from srqueue.run.listing import LR_CONVERSION, Listing
from workers.pixels import Pixels

TILE = 64
ROW_BYTES = TILE * 3
TILE_BYTES = TILE * ROW_BYTES
SUM_BYTES = 4

_ROW = np.dtype(f"V{ROW_BYTES}")


@dataclass(frozen=True)
class Plane:
    """One picture in the bank: `height` x `width` pixels from tile number `first` on."""

    first: int
    height: int
    width: int

    @property
    def columns(self) -> int:
        """Tiles in a row."""
        return -(-self.width // TILE)

    @property
    def tiles(self) -> int:
        """All of them."""
        return -(-self.height // TILE) * self.columns


class Layout:
    """The places of all pictures of `listing`, by their number in it."""

    def __init__(self, listing: Listing, scale: int) -> None:
        size = [(p.height // scale, p.width // scale) for p in listing.pictures]
        self._lr = np.array(size, dtype=np.int64).reshape(-1, 2)
        self._scale = scale
        hr_tiles, lr_tiles = (np.prod(-(-s // TILE), axis=1) for s in (self._lr * scale, self._lr))
        self._lr_first = np.cumsum(hr_tiles + lr_tiles) - lr_tiles
        self._hr_first = self._lr_first - hr_tiles
        self.pictures = len(size)
        self.tiles = int(hr_tiles.sum() + lr_tiles.sum())

    def hr(self, index: int) -> Plane:
        """The original of picture `index`, cut to a multiple of the scale."""
        height, width = self._lr[index] * self._scale
        return Plane(int(self._hr_first[index]), int(height), int(width))

    def lr(self, index: int) -> Plane:
        """Its small picture."""
        height, width = self._lr[index]
        return Plane(int(self._lr_first[index]), int(height), int(width))

    @property
    def table_bytes(self) -> int:
        """Length of the table."""
        return self.pictures * RECORD_BYTES + self.tiles * SUM_BYTES

    def sums_at(self, tile: int) -> int:
        """Where the checksum of a tile stands in the table."""
        return self.pictures * RECORD_BYTES + tile * SUM_BYTES


def note_of(listing: Listing, scale: int, layout: Layout) -> BankNote:
    """Whose bank that is. Its key is of all that its pixels depend on: other decoders, another bank."""
    lr = "" if listing.lr_roots else LR_CONVERSION
    made_by = _decoders(bool(lr))
    parts = [BANK_VERSION, listing.identity, scale, lr, made_by, layout.pictures, layout.tiles]
    return BankNote(
        key=hashlib.sha256(json.dumps(parts).encode()).hexdigest(),
        name=listing.name,
        identity=listing.identity,
        scale=scale,
        made_by=made_by,
        pictures=layout.pictures,
        bytes=layout.tiles * TILE_BYTES,
        table_bytes=layout.table_bytes,
        created=time.time(),
    )


def to_tiles(picture: Pixels) -> NDArray[np.uint8]:
    """[height, width, 3] -> [tiles, TILE_BYTES]."""
    rows, columns = (-(-n // TILE) for n in picture.shape[:2])
    whole = np.zeros((rows * TILE, columns * TILE, 3), np.uint8)
    whole[: picture.shape[0], : picture.shape[1]] = picture
    lines = whole.reshape(rows, TILE, columns, ROW_BYTES).view(_ROW)[..., 0]
    return np.ascontiguousarray(lines.transpose(0, 2, 1)).view(np.uint8).reshape(-1, TILE_BYTES)


def from_tiles(tiles: NDArray[np.uint8]) -> Pixels:
    """[rows, columns, TILE_BYTES] -> the picture that they make, [rows * TILE, columns * TILE, 3]."""
    rows, columns = tiles.shape[:2]
    lines = tiles.reshape(rows, columns, TILE, ROW_BYTES).view(_ROW)[..., 0]
    whole = np.ascontiguousarray(lines.transpose(0, 2, 1)).view(np.uint8)
    return whole.reshape(rows * TILE, columns * TILE, 3)


def _decoders(makes_lr: bool) -> str:
    """Versions of what the pixels come from. They should all give the same; nobody promises it."""
    words = [f"{name} {_version(name)}" for name in ("pillow", "kornia_rs")]
    if makes_lr:
        words.append(f"torch {torch.__version__} {torch.backends.cpu.get_cpu_capability()}")
    return ", ".join(words)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "-"
