"""Validation pictures in a run folder: the same crops of the same pictures, one PNG a validation.

pictures/pictures.json             {"v": 1, "crops": [{name, top, left, height, width}],
                                   "iterations": [...]}
pictures/<crop>/bicubic.png        what interpolation makes of it
pictures/<crop>/original.png       what it is
pictures/<crop>/it<iteration>.png  what the network made of it
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from srqueue.errors import UsageError
from srqueue.run.atomic import write_json
from srqueue.run.folder import RunDir

PICTURES_VERSION = 1
FIXED = ("bicubic", "original")
"""What there is of a crop beside the iterations."""


@dataclass(frozen=True)
class Crop:
    """Where a crop lies, in HR pixels of the picture `name` (a path within its data set)."""

    name: str
    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Pictures:
    """The crops, and the iterations that there are pictures of, ascending."""

    crops: tuple[Crop, ...]
    iterations: tuple[int, ...]


def read_pictures(run: RunDir) -> Pictures | None:
    """What a run folder holds; None where there was no validation yet, or the file is not ours to read."""
    try:
        raw = json.loads(_index(run).read_text())
        if raw["v"] != PICTURES_VERSION:
            return None
        crops = tuple(Crop(str(c["name"]), *(int(c[k]) for k in _PLACE)) for c in raw["crops"])
        return Pictures(crops, tuple(sorted({int(i) for i in raw["iterations"]})))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_pictures(run: RunDir, pictures: Pictures) -> None:
    """Says what there is. Raises OSError."""
    value = {
        "v": PICTURES_VERSION,
        "crops": [asdict(crop) for crop in pictures.crops],
        "iterations": list(pictures.iterations),
    }
    write_json(_index(run), value, durable=False)


def picture_file(run: RunDir, crop: int, what: str) -> Path:
    """The file of one picture; `what`: bicubic, original, or an iteration in digits. It need not be there.

    Raises UsageError for anything else, so that no name can leave the folder.
    """
    if crop < 0:
        raise UsageError(f"there is no crop {crop}", hint="crops are counted from 0")
    if what not in FIXED and not (what.isascii() and what.isdigit()):
        raise UsageError(
            f"there is no picture {what!r}", hint=f"take {', '.join(FIXED)}, or an iteration in digits"
        )
    name = what if what in FIXED else f"it{int(what)}"
    return run.pictures / str(int(crop)) / f"{name}.png"


_PLACE = ("top", "left", "height", "width")


def _index(run: RunDir) -> Path:
    return run.pictures / "pictures.json"
