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
        return _scaled(_deep_colour(image, data))
    if image.mode.startswith("I"):
        return np.repeat(_scaled(np.asarray(image).astype(np.uint32))[:, :, None], 3, 2)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def _scaled(deep: NDArray[np.uint32]) -> Pixels:
    """0..65535 -> 0..255, rounded."""
    return ((deep * 255 + 32767) // 65535).astype(np.uint8)


def _deep_colour(image: Image.Image, data: bytes) -> NDArray[np.uint32]:
    """[H, W, 3] in 0..65535. The file is decoded once more, for the bytes that Pillow leaves out."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as other:
        other.tile = [tile._replace(args=_DEEP[data[25]]) for tile in other.tile]
        other.load()
        rest = np.asarray(other).astype(np.uint32)
    if data[25] == 4:
        grey = rest[..., 0] * 256 + rest[..., 1]
        return np.repeat(grey[:, :, None], 3, 2)
    return np.asarray(image).astype(np.uint32)[..., :3] * 256 + rest[..., :3]
