"""Packs a data set into its crop bank, by hand or in the background of a training."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from srqueue.errors import DataError, SrqueueError
from srqueue.run.banks import create_bank
from srqueue.run.listing import Listing
from workers.data_tools.packer import Packer, end_with_stdin
from workers.trainer.data.bank import Damaged
from workers.trainer.data.layout import Layout, note_of
from workers.trainer.process import die_with_parent

_EVERY = 0.5
_NICE = 15


@dataclass(frozen=True)
class PackRequest:
    """What to pack, where. `quota`: bytes of all banks, 0 for no limit; `verify`: what is there is read, too.

    `background`: quietly, with half of the cores and whatever time others leave, as long as stdin is open.
    """

    listing: str
    scale: int
    folder: str
    quota: int
    verify: bool = False
    background: bool = False


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """`pack` on a request out of JSON."""
    return pack(PackRequest(**request))


def pack(request: PackRequest) -> dict[str, Any]:
    """Fills the bank, and tells how far it is as lines of JSON on stderr. Raises SrqueueError, DataError."""
    begun, cores = time.monotonic(), len(psutil.Process().cpu_affinity()) if _LINUX else os.cpu_count() or 1
    torch.set_num_threads(1)  # pictures are made side by side
    if request.background:
        _stand_back()
    listing, root = Listing.read(Path(request.listing)), Path(request.folder)
    if listing.lr_roots and listing.scale != request.scale:
        raise DataError(
            f"the LR pictures of {listing.name!r} are for scale {listing.scale}, not {request.scale}"
        )
    note = note_of(listing, request.scale, Layout(listing, request.scale))
    told = _Told(note.pictures, note.bytes, quiet=request.background)
    try:
        bank = create_bank(root, note, request.quota, lambda text: print(text, file=sys.stderr, flush=True))
        if isinstance(bank, str):
            raise SrqueueError(
                f"there is no room for the crop bank of {listing.name!r}: {bank}",
                where=str(root),
                hint="srqueue dataset gc, a larger SRQUEUE_BANK_QUOTA, or SRQUEUE_BANK on a larger disk",
            )
        packer = Packer(bank, listing, request.scale, cores // 2 if request.background else cores)
        try:
            there = packer.run(told, request.verify)
        finally:
            packer.close()
    except (OSError, Damaged) as error:
        raise SrqueueError(
            f"cannot write the crop bank: {getattr(error, 'strerror', None) or error}", where=str(root)
        ) from None
    return {
        "name": listing.name,
        "scale": request.scale,
        "path": str(bank.path),
        "pictures": note.pictures,
        "packed": there,
        "failed": dict(sorted(packer.failed.items())),
        "bytes": bank.stored(),
        "seconds": round(time.monotonic() - begun, 3),
    }


_LINUX = sys.platform.startswith("linux")


def _stand_back() -> None:
    die_with_parent()
    end_with_stdin()
    os.nice(_NICE)
    if _LINUX:
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


class _Told:
    """Progress for who started this: `{"done", "total", "bytes"}`, twice a second at most."""

    def __init__(self, total: int, size: int, quiet: bool) -> None:
        self._total, self._size, self._quiet, self._at = total, size, quiet, 0.0

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if self._quiet or (now - self._at < _EVERY and done < self._total):
            return
        self._at = now
        line = {"done": done, "total": self._total, "bytes": self._size}
        print(json.dumps(line), file=sys.stderr, flush=True)
