"""Decoding by kornia gives Pillow's pixels, or leaves the file to Pillow."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from skimage import data

from workers.pixels import to_rgb
from workers.trainer.data.decode import read_original
from workers.trainer.data.swift import decode_swiftly

PHOTO = data.astronaut()
SIZES = [(512, 512), (511, 333), (100, 31), (17, 9), (8, 8), (1, 1)]


def encoded(image, form, **more):
    out = io.BytesIO()
    image.save(out, form, **more)
    return out.getvalue()


def by_pillow(data):
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return to_rgb(image, data)


def piece(height, width, mode="RGB"):
    return Image.fromarray(np.ascontiguousarray(PHOTO[:height, 100 : 100 + width] if width < 400 else PHOTO))\
        .crop((0, 0, width, height)).convert(mode)  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
def test_rgb_png_and_jpeg_of_any_size_are_decoded_swiftly_to_the_same_pixels(size):
    image = piece(*size)
    files = [encoded(image, "PNG", compress_level=level) for level in (0, 1, 9)]
    for subsampling in (0, 1, 2):
        for progressive in (False, True):
            for quality in (20, 75, 95, 100):
                more = {"subsampling": subsampling, "progressive": progressive, "quality": quality}
                files.append(encoded(image, "JPEG", **more))
    files += [encoded(image, "JPEG", keep_rgb=True), encoded(image, "JPEG", restart_marker_blocks=3)]
    for file in files:
        swift = decode_swiftly(file)
        assert swift is not None
        assert swift.flags.writeable
        assert np.array_equal(swift, by_pillow(file))


def info(**chunks):
    found = PngImagePlugin.PngInfo()
    for kind, content in chunks.items():
        found.add(kind.encode(), content)
    return found


PLAIN = {
    "gamma": {"pnginfo": info(gAMA=(30000).to_bytes(4, "big"))},
    "significant bits": {"pnginfo": info(sBIT=b"\5\5\5")},
    "colour profile": {"icc_profile": bytes(128)},
    "transparent colour": {"transparency": tuple(int(v) for v in PHOTO[0, 100])},
    "resolution": {"dpi": (72, 72)},
}


@pytest.mark.parametrize("kind", PLAIN)
def test_what_else_stands_in_a_png_changes_no_pixel(kind):
    file = encoded(piece(64, 48), "PNG", **PLAIN[kind])
    swift = decode_swiftly(file)
    assert swift is not None
    assert np.array_equal(swift, by_pillow(file))


def turned(form):
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(piece(64, 48), form, exif=exif)


def with_texts(keyword):
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt(keyword, '<x tiff:Orientation="6"/>')
    return encoded(piece(64, 48), "PNG", pnginfo=texts)


def animated():
    return encoded(piece(64, 48), "PNG", save_all=True, append_images=[piece(64, 48).rotate(180)])


LEFT_TO_PILLOW = {
    "grey": lambda: encoded(piece(64, 48, "L"), "PNG"),
    "grey and alpha": lambda: encoded(piece(64, 48, "LA"), "PNG"),
    "alpha": lambda: encoded(piece(64, 48, "RGBA"), "PNG"),
    "palette": lambda: encoded(piece(64, 48).quantize(16), "PNG"),
    "one bit": lambda: encoded(piece(64, 48, "1"), "PNG"),
    "16 bit grey": lambda: encoded(Image.fromarray(PHOTO[:64, :48, 0].astype(np.uint16) * 257), "PNG"),
    "turned PNG": lambda: turned("PNG"),
    "turned JPEG": lambda: turned("JPEG"),
    "turned by XMP": lambda: with_texts("XML:com.adobe.xmp"),
    "animated": animated,
    "grey JPEG": lambda: encoded(piece(64, 48, "L"), "JPEG"),
    "CMYK JPEG": lambda: encoded(piece(64, 48, "CMYK"), "JPEG"),
    "two pictures": lambda: encoded(piece(64, 48), "MPO", save_all=True, append_images=[piece(64, 48)]),
    "WebP": lambda: encoded(piece(64, 48), "WEBP", lossless=True),
    "nothing": lambda: b"",
    "half a PNG": lambda: encoded(piece(64, 48), "PNG")[:2000],
    "half a JPEG": lambda: encoded(piece(64, 48), "JPEG")[:-300],
    "only its beginning": lambda: b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("kind", LEFT_TO_PILLOW)
def test_every_other_kind_is_left_to_pillow(kind):
    assert decode_swiftly(LEFT_TO_PILLOW[kind]()) is None


def test_deep_colour_is_left_to_pillow(listed):
    # Pillow writes no 16-bit colour: the bytes of the header are what tells it.
    file = bytearray(encoded(piece(64, 48), "PNG"))
    file[24] = 16
    assert decode_swiftly(bytes(file)) is None


def test_a_file_is_decoded_swiftly_only_where_its_hash_is_known(listed, photo, monkeypatch):
    """Kornia passes over damage that Pillow names; a file with the hash that was noted has none."""
    from workers.trainer.data import decode

    asked = []
    monkeypatch.setattr(decode, "decode_swiftly", lambda data: asked.append(1) or decode_swiftly(data))
    listing = listed({"a": photo})
    path = f"{listing.hr_root}/a.png"
    from pathlib import Path

    without, _ = read_original(Path(path))
    assert asked == []
    pixels, grey = read_original(Path(path), listing.pictures[0].sha256)
    assert asked == [1]
    assert np.array_equal(pixels, without)
    assert not grey
