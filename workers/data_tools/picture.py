"""Reads one picture file: is it whole, how large is it, what is it."""

from __future__ import annotations

import hashlib
import stat
import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError

from workers.data_tools.sharpness import middle_luma, sharpness
from workers.pixels import (
    FORMATS,
    LARGEST_FILE,
    LARGEST_PICTURE,
    MOST_SCANS,
    Pixels,
    has_alpha,
    is_deep_colour,
    orientation,
    to_rgb,
)  # fmt: skip
from workers.thumbnails import Thumbnail, thumbnail_of

ALPHA, DEEP = "+alpha", " 16-bit"
"""Ends of the words for kinds of which something is left out when they are read."""

_KINDS = {
    "1": "1-bit",
    "L": "grey",
    "LA": "grey+alpha",
    "I": "grey",
    "P": "palette",
    "RGB": "rgb",
    "RGBA": "rgb+alpha",
    "CMYK": "cmyk",
}


class BrokenPicture(Exception):
    """A file that cannot be used; the text says why."""


@dataclass(frozen=True)
class Known:
    """What an earlier listing says of a file. `sharpness` or `thumbnail` None: not known of then."""

    width: int
    height: int
    size: int
    mtime_ns: int
    sha256: str
    sharpness: float | None = None
    thumbnail: Thumbnail | None = None


@dataclass(frozen=True)
class Facts:
    """What is known of a whole picture. Width and height are those after its EXIF orientation."""

    width: int
    height: int
    size: int
    mtime_ns: int
    sha256: str
    kind: str
    sharpness: float
    thumbnail: Thumbnail | None = None

    @property
    def smaller_side(self) -> int:
        """Pixels of the smaller side."""
        return min(self.width, self.height)


def inspect(path: Path, known: Known | None = None, thumbnail: bool = False) -> Facts:
    """Reads, hashes and decodes a file; only its header where size and mtime are as `known`.

    Raises BrokenPicture where the file is no whole PNG, JPEG or WebP, or all its pixels are equal: such a
    picture teaches nothing.
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
            sharp, small = known.sharpness, known.thumbnail
            if sharp is not None and (small is not None or not thumbnail):
                with path.open("rb") as file:
                    kind = _kind(_open(file), file)
                return Facts(known.width, known.height, size, mtime_ns, known.sha256, kind, sharp, small)
        data = path.read_bytes()
    except OSError as error:
        raise BrokenPicture(f"cannot be read: {error.strerror or error}") from None
    if len(data) != size:
        raise BrokenPicture("is being written to")
    image = _decode(data)
    if _is_flat(image):
        raise BrokenPicture(f"all its {image.width}x{image.height} pixels are equal")
    width, height = _oriented_size(image)
    sharp = sharpness(middle_luma(image))
    small = thumbnail_of(image) if thumbnail else None
    digest = hashlib.sha256(data).hexdigest()
    return Facts(width, height, size, mtime_ns, digest, _kind(image, BytesIO(data)), sharp, small)


def read_rgb(path: Path) -> Pixels:
    """The picture as a training reads it. Raises BrokenPicture."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise BrokenPicture(f"larger than {LARGEST_FILE >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise BrokenPicture(f"cannot be read: {error.strerror or error}") from None
    return to_rgb(_decode(data), data)


def _open(file: IO[bytes]) -> Image.Image:
    """The picture with its header read."""
    try:
        image = Image.open(file, formats=FORMATS)
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
    if data[:2] == b"\xff\xd8" and data.count(b"\xff\xda") > MOST_SCANS:
        raise BrokenPicture(f"a JPEG of more than {MOST_SCANS} scans")
    image = _open(BytesIO(data))
    try:
        image.load()
        if image.format == "PNG":  # decoding stops at the last row and skips the chunks' checksums
            Image.open(BytesIO(data), formats=FORMATS).verify()
    except Exception as error:
        cut = "truncated" in str(error).lower() or isinstance(error, EOFError | struct.error)
        raise BrokenPicture(f"cut off: {error}" if cut else f"cannot be decoded: {error}") from None
    return image


def _oriented_size(image: Image.Image) -> tuple[int, int]:
    turned = orientation(image) >= 5
    return (image.height, image.width) if turned else (image.width, image.height)


def _is_flat(image: Image.Image) -> bool:
    """Whether all pixels are equal, alpha aside."""
    if image.mode.startswith("I"):
        image = image.convert("I")
    elif image.mode not in ("1", "L"):
        image = image.convert("RGB")
    bands = image.getextrema()
    return all(low == high for low, high in (bands if isinstance(bands[0], tuple) else (bands,)))


def _kind(image: Image.Image, file: IO[bytes]) -> str:
    """What the pixels are, in words; counted in the registry."""
    mode = image.mode.partition(";")[0]
    name, deep = _KINDS.get(mode, mode), mode == "I"
    if image.format == "PNG":
        file.seek(0)
        if is_deep_colour(head := file.read(26)):
            name, deep = "grey+alpha" if head[25] == 4 else name, True
    if has_alpha(image) and not name.endswith(ALPHA):
        name += ALPHA
    return name + (DEEP if deep else "")
