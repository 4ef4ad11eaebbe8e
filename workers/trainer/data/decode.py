"""One picture file to RGB, 8 bits a channel."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from srqueue.errors import DataError
from workers.trainer.data.resize import Pixels

REPAIR = "restore the file, or add the data set again (srqueue dataset add --replace) and submit again"
"""What to do about a picture that is not what it was."""


class DataMissing(DataError):
    """A picture or data set that is not there: worth another look later, unlike a broken one."""


def read_picture(path: Path, sha256: str = "") -> Pixels:
    """The picture at `path` as uint8 [height, width, 3].

    EXIF orientation is applied, grey is repeated, alpha dropped, 16 bits are scaled to 8. Raises DataMissing
    where the file cannot be read and DataError where it is no whole picture, or not the one whose `sha256`
    (hex) was noted when the data set was added.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataMissing(f"cannot read a picture: {error.strerror}", where=str(path), hint=REPAIR) from None
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise DataError(
            "a picture is not what it was when the data set was added",
            where=str(path),
            hint=REPAIR,
        )
    return decode(data, str(path))


def decode(data: bytes, where: str) -> Pixels:
    """The picture in `data` as uint8 [height, width, 3]. Raises DataError where it is not whole."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return np.ascontiguousarray(_to_rgb(ImageOps.exif_transpose(image)))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        reason = "not a picture" if isinstance(error, UnidentifiedImageError) else str(error)
        raise DataError(f"cannot decode a picture: {reason}", where=where, hint=REPAIR) from None


def _to_rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion clips at 255
        grey = np.asarray(image).astype(np.int64)
        eight = ((grey * 255 + 32767) // 65535).clip(0, 255).astype(np.uint8)
        return np.repeat(eight[:, :, None], 3, 2)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return np.array(image.convert("RGB"))  # a copy: torch wants to be able to write
