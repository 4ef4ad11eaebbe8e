"""One picture file to RGB, 8 bits a channel."""

from __future__ import annotations

import hashlib
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from srqueue.errors import DataError
from workers.pixels import FORMATS, LARGEST_FILE, Pixels, has_alpha, is_grey, open_picture, to_rgb
from workers.trainer.data.swift import decode_swiftly

REPAIR = "restore the file, or add the data set again (srqueue dataset add --replace) and submit again"
"""What to do about a picture that is not what it was."""


class DataMissing(DataError):
    """A picture or data set that is not there: worth another look later, unlike a broken one."""


class DataChanged(DataError):
    """A picture is not the one that was added."""


def read_picture(path: Path, sha256: str = "") -> Pixels:
    """The picture at `path` as uint8 [height, width, 3].

    EXIF orientation is applied, grey is repeated, alpha dropped, 16 bits are scaled to 8. Raises DataMissing
    where the file cannot be read and DataError where it is no whole picture, or not the one whose `sha256`
    (hex) was noted when the data set was added.
    """
    return read_original(path, sha256)[0]


def read_original(path: Path, sha256: str = "") -> tuple[Pixels, bool]:
    """The same, and whether the file is grey: has one channel, and no three equal ones."""
    data = _read(path, sha256)
    # What Pillow has found whole when the data set was added needs not be judged again.
    if sha256 and (pixels := decode_swiftly(data)) is not None:
        return pixels, False
    return _decode(data, str(path))


def drops_alpha(path: Path) -> bool:
    """Whether the picture says what is transparent, by its header; False where it is no picture."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            return has_alpha(image)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return False


def check_content(path: Path, sha256: str) -> None:
    """Reads a file without decoding it; raises as `read_picture` does."""
    _read(path, sha256)


def _read(path: Path, sha256: str) -> bytes:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise DataError(
                f"cannot decode a picture: larger than {LARGEST_FILE >> 20} MiB", where=str(path), hint=REPAIR
            )
        data = path.read_bytes()
    except OSError as error:
        raise DataMissing(f"cannot read a picture: {error.strerror}", where=str(path), hint=REPAIR) from None
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise DataChanged(
            "a picture is not what it was when the data set was added",
            where=str(path),
            hint=REPAIR,
        )
    return data


def decode(data: bytes, where: str) -> Pixels:
    """The picture in `data` as uint8 [height, width, 3]. Raises DataError where it is not whole."""
    return _decode(data, where)[0]


def _decode(data: bytes, where: str) -> tuple[Pixels, bool]:
    try:
        with open_picture(data) as image:
            image.load()
            return to_rgb(image, data), is_grey(image)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        reason = "not a picture" if isinstance(error, UnidentifiedImageError) else str(error)
        raise DataError(f"cannot decode a picture: {reason}", where=where, hint=REPAIR) from None
