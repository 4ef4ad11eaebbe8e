"""Reads one picture file: is it whole, how large is it, what is it."""

from __future__ import annotations

import hashlib
import stat
import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

LARGEST_PICTURE = 16384 * 16384
"""Pixels. A file of some kilobytes can claim any size; more than this is taken for an attack or a mistake."""
LARGEST_FILE = 1 << 30
"""Bytes."""
THUMBNAIL = 16
"""Side of the thumbnails that near-duplicates are found with."""

Image.MAX_IMAGE_PIXELS = LARGEST_PICTURE

_FORMATS = ("PNG", "JPEG", "WEBP")
_KINDS = {
    "1": "1-bit",
    "L": "grey",
    "LA": "grey+alpha",
    "I": "grey 16-bit",
    "P": "palette",
    "RGB": "rgb",
    "RGBA": "rgb+alpha",
    "CMYK": "cmyk",
}
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112  # EXIF tag


class BrokenPicture(Exception):
    """A file that cannot be used; the text says why."""


@dataclass(frozen=True)
class Known:
    """What an earlier listing says of a file."""

    width: int
    height: int
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Facts:
    """What is known of a whole picture. Width and height are those after its EXIF orientation."""

    width: int
    height: int
    size: int
    mtime_ns: int
    sha256: str
    kind: str
    thumbnail: NDArray[np.float32] | None = None

    @property
    def smaller_side(self) -> int:
        """Pixels of the smaller side."""
        return min(self.width, self.height)


def inspect(path: Path, known: Known | None = None, thumbnail: bool = False) -> Facts:
    """Reads, hashes and decodes a file; only its header where size and mtime are as `known`.

    Raises BrokenPicture where the file is no whole PNG, JPEG or WebP.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BrokenPicture("not a regular file")
        if status.st_size == 0:
            raise BrokenPicture("empty: 0 bytes")
        if status.st_size > LARGEST_FILE:
            raise BrokenPicture(f"larger than {LARGEST_FILE >> 20} MiB")
        size, mtime_ns = status.st_size, status.st_mtime_ns
        if known and (known.size, known.mtime_ns) == (size, mtime_ns):
            with path.open("rb") as file:
                kind = _kind(_open(file), file)
            return Facts(known.width, known.height, size, mtime_ns, known.sha256, kind)
        data = path.read_bytes()
    except OSError as error:
        raise BrokenPicture(f"cannot be read: {error.strerror or error}") from None
    if len(data) != size:
        raise BrokenPicture("is being written to")
    image = _decode(data)
    width, height = _oriented_size(image)
    small = _thumbnail(image) if thumbnail else None
    digest = hashlib.sha256(data).hexdigest()
    return Facts(width, height, size, mtime_ns, digest, _kind(image, BytesIO(data)), small)


def read_oriented(path: Path) -> Image.Image:
    """The decoded picture, turned as its EXIF orientation says. Raises BrokenPicture."""
    try:
        return _oriented(_decode(path.read_bytes()))
    except OSError as error:
        raise BrokenPicture(f"cannot be read: {error.strerror or error}") from None


def _open(file: IO[bytes]) -> Image.Image:
    """The picture with its header read."""
    try:
        image = Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError:
        raise BrokenPicture("not a PNG, JPEG or WebP picture") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BrokenPicture(f"claims more than {LARGEST_PICTURE} pixels") from None
    except Exception as error:  # Pillow's plugins raise nearly anything on broken bytes
        raise BrokenPicture(f"cannot be decoded: {error}") from None
    if image.width * image.height > LARGEST_PICTURE:
        raise BrokenPicture(f"claims {image.width}x{image.height} pixels")
    # An MPO is the JPEG of a camera that hides a second picture behind the first; that one is meant.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise BrokenPicture("animated")
    return image


def _decode(data: bytes) -> Image.Image:
    """The picture with its pixels read, all checksums of a PNG included."""
    image = _open(BytesIO(data))
    try:
        image.load()
        if image.format == "PNG":  # decoding stops at the last row and skips the chunks' checksums
            Image.open(BytesIO(data), formats=_FORMATS).verify()
    except Exception as error:
        cut = "truncated" in str(error).lower() or isinstance(error, EOFError | struct.error)
        raise BrokenPicture(f"cut off: {error}" if cut else f"cannot be decoded: {error}") from None
    return image


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where there is none or the EXIF is broken."""
    try:
        value = int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1
    return value if value in _TRANSPOSE else 1


def _oriented_size(image: Image.Image) -> tuple[int, int]:
    turned = _orientation(image) >= 5
    return (image.height, image.width) if turned else (image.width, image.height)


def _oriented(image: Image.Image) -> Image.Image:
    orientation = _orientation(image)
    return image.transpose(_TRANSPOSE[orientation]) if orientation != 1 else image


def _kind(image: Image.Image, file: IO[bytes]) -> str:
    """What the pixels are, in words; counted in the registry."""
    if image.format == "PNG" and image.mode in ("RGB", "RGBA"):
        file.seek(24)  # bit depth in the IHDR chunk, which always stands first
        if file.read(1) == b"\x10":
            return _KINDS[image.mode] + " 16-bit"  # of which Pillow gives the upper 8 bits
    return _KINDS.get(image.mode.partition(";")[0], image.mode)


def _thumbnail(image: Image.Image) -> NDArray[np.float32]:
    """[256] float32 of mean 0 and length 1 (0 for a flat picture): a dot product is the correlation."""
    grey = _oriented(image).convert("I" if image.mode.startswith("I") else "L").convert("F")
    small = np.asarray(grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX), np.float32).ravel()
    small = small - small.mean()
    length = float(np.linalg.norm(small))
    return small / length if length > 1e-3 else np.zeros_like(small)
