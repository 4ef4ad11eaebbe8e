"""Decoded pictures as RGB, 8 bits a channel: the same for the data tools and for the trainer."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
"""An RGB picture [height, width, 3]."""

LARGEST_PICTURE = 16384 * 16384
"""Pixels. A file of some kilobytes can claim any size; more than this is taken for an attack or a mistake."""

LARGEST_FILE = 1 << 30
"""Bytes of a file that is read."""
MOST_SCANS = 256
"""Of a JPEG. Each costs a pass over all pixels: some megabytes of empty ones keep a decoder busy for hours.
Encoders make about ten; one of a preview or a second picture in the file counts, too."""
FORMATS = ("PNG", "JPEG", "WEBP")
"""Nothing else is opened: Pillow has decoders that start other programs, and some that nobody looks after."""
_BAND = 256
"""Rows of 16 bits that are scaled at a time: as a whole they would take 20 times what the picture does."""

Image.MAX_IMAGE_PIXELS = LARGEST_PICTURE

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

# What Pillow reads of a 16-bit PNG: colour type -> raw mode of what its own raw modes leave out,
# which give the upper byte of each channel. Grey with alpha is four bytes, so RGBA gives them all.
_DEEP = {2: "RGB;16L", 4: "RGBA", 6: "RGBA;16L"}


def open_picture(data: bytes) -> Image.Image:
    """The picture with its header read, before a pixel is decoded; what decoding takes is bounded by it.

    Raises ValueError where it would take too much, in words; and whatever Pillow raises on broken bytes.
    """
    if len(data) > LARGEST_FILE:
        raise ValueError(f"larger than {LARGEST_FILE >> 20} MiB")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(f"claims more than {LARGEST_PICTURE} pixels") from None
    if image.width * image.height > LARGEST_PICTURE:
        raise ValueError(f"claims {image.width}x{image.height} pixels, more than {LARGEST_PICTURE}")
    if data[:2] == b"\xff\xd8" and data.count(b"\xff\xda") > MOST_SCANS:
        raise ValueError(f"is a JPEG of more than {MOST_SCANS} scans")
    return image


def orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where there is none or the EXIF is broken."""
    try:
        value = int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # Pillow's EXIF reader raises nearly anything on broken bytes
        return 1
    return value if value in _TRANSPOSE else 1


def is_grey(image: Image.Image) -> bool:
    """Whether the file holds one channel of brightness; three equal ones are colour, as elsewhere."""
    return image.mode in {"1", "L", "LA", "La", "F"} or image.mode.startswith("I")


def has_alpha(image: Image.Image) -> bool:
    """Whether the file says what is transparent, which is dropped: by a channel, a palette or one colour."""
    return image.mode in {"LA", "La", "PA", "RGBA", "RGBa"} or "transparency" in image.info


def upright(image: Image.Image) -> Image.Image:
    """The loaded picture, turned as its EXIF orientation says."""
    turned = orientation(image)
    return image if turned == 1 else image.transpose(_TRANSPOSE[turned])


def is_deep_colour(data: bytes) -> bool:
    """Whether the file is a PNG with 16 bits a channel and more than one channel."""
    return data[:8] == b"\x89PNG\r\n\x1a\n" and data[24:25] == b"\x10" and data[25] in _DEEP


def to_rgb(image: Image.Image, data: bytes) -> Pixels:
    """The loaded `image` of the file `data` as a writable uint8 array, turned as its EXIF says.

    Grey is repeated, alpha dropped, 16 bits are scaled to 8 and rounded (Pillow would cut the lower 8 bits
    of colour, and clip grey at 255).
    """
    pixels = _eight_bits(image, data)
    if (turned := orientation(image)) != 1:
        pixels = np.asarray(Image.fromarray(pixels).transpose(_TRANSPOSE[turned]))
    return np.array(pixels)  # a copy: torch wants to be able to write


def _eight_bits(image: Image.Image, data: bytes) -> Pixels:
    if is_deep_colour(data):
        return _deep_colour(image, data)
    if image.mode.startswith("I"):
        grey = np.asarray(image)
        bands = [_scaled(grey[at : at + _BAND].astype(np.uint32)) for at in range(0, len(grey), _BAND)]
        return np.repeat(np.concatenate(bands)[:, :, None], 3, 2)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def _scaled(deep: NDArray[np.uint32]) -> Pixels:
    """0..65535 -> 0..255, rounded."""
    return ((deep * 255 + 32767) // 65535).astype(np.uint8)


def _deep_colour(image: Image.Image, data: bytes) -> Pixels:
    """The file is decoded once more, for the bytes that Pillow leaves out."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as other:
        other.tile = [tile._replace(args=_DEEP[data[25]]) for tile in other.tile]
        other.load()
        rest = np.asarray(other)
    upper, made = np.asarray(image), np.empty((*rest.shape[:2], 3), np.uint8)
    for at in range(0, len(rest), _BAND):
        low = rest[at : at + _BAND].astype(np.uint32)
        if data[25] == 4:
            deep = (low[..., 0] * 256 + low[..., 1])[:, :, None]
        else:
            deep = upper[at : at + _BAND, :, :3].astype(np.uint32) * 256 + low[..., :3]
        made[at : at + _BAND] = _scaled(deep)
    return made
