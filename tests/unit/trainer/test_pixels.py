"""Files of every kind become the RGB that they mean; expectations are worked out without Pillow's readers."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from srqueue.errors import DataError
from workers.data_tools.picture import inspect, read_rgb
from workers.trainer.data.decode import decode


def deep_png(pixels):
    """A 16-bit PNG of uint16 [H, W, channels], written from the format's definition."""
    height, width, channels = pixels.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    out = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        out += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return out


def encoded(image, form, **more):
    out = io.BytesIO()
    image.save(out, form, **more)
    return out.getvalue()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_are_rounded_to_eight_in_every_channel(channels, tmp_path):
    """All 65,536 values; 8 bits of full scale are 257 steps of 16. Pillow alone cuts the lower byte off."""
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    deep = np.stack([np.roll(every, k * 9) for k in range(channels)], 2)
    colour = deep if channels in (1, 3) else deep[..., :-1]
    expected = np.broadcast_to(np.rint(colour.astype(np.float64) / 257), (256, 256, 3))
    data = deep_png(deep)
    assert np.array_equal(decode(data, "x"), expected)
    (tmp_path / "x.png").write_bytes(data)
    assert np.array_equal(read_rgb(tmp_path / "x.png"), expected), "the data tools see the same"
    assert inspect(tmp_path / "x.png").kind == {
        1: "grey 16-bit", 2: "grey+alpha 16-bit", 3: "rgb 16-bit", 4: "rgb+alpha 16-bit",
    }[channels]  # fmt: skip


TURNED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: p.swapaxes(0, 1)[:, ::-1],
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: p.swapaxes(0, 1)[::-1],
}
"""EXIF 2.3, tag 0x0112: where the first row and column of the file belong."""


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("kind", ["png", "webp", "grey 16-bit"])
def test_every_orientation_is_applied(photo, orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    if kind == "grey 16-bit":
        source = np.repeat(photo[..., :1], 3, 2)
        data = encoded(Image.fromarray(photo[..., 0].astype(np.uint16) * 257), "PNG", exif=exif)
    else:
        source = photo
        more = {"lossless": True} if kind == "webp" else {}
        data = encoded(Image.fromarray(photo), kind, exif=exif, **more)
    assert np.array_equal(decode(data, "x"), TURNED[orientation](source))


def test_a_broken_exif_turns_nothing(photo):
    data = encoded(Image.fromarray(photo), "PNG", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\xff")
    assert np.array_equal(decode(data, "x"), photo)


def test_webp_with_alpha_loses_the_alpha_only(photo):
    alpha = np.dstack([photo, np.full(photo.shape[:2], 9, np.uint8)])
    data = encoded(Image.fromarray(alpha), "WEBP", lossless=True, exact=True)
    assert np.array_equal(decode(data, "x"), photo)


@pytest.mark.parametrize(("form", "least"), [("JPEG", 35), ("WEBP", 35)])
def test_lossy_pictures_are_near_what_was_written(photo, form, least):
    read = decode(encoded(Image.fromarray(photo), form, quality=95), "x")
    assert read.shape == photo.shape
    assert peak_signal_noise_ratio(photo, read) > least


def test_a_grey_jpeg_is_repeated(photo):
    read = decode(encoded(Image.fromarray(photo[..., 1]), "JPEG", quality=95), "x")
    assert (read[..., 0] == read[..., 1]).all() and (read[..., 1] == read[..., 2]).all()
    assert peak_signal_noise_ratio(photo[..., 1], read[..., 0]) > 35


def test_a_cmyk_jpeg_has_its_colours():
    """Ink of 0, 100 and 40 % of each: RGB is what white paper keeps."""
    inks = np.array(
        [[0, 0, 0, 0], [255, 0, 0, 0], [0, 255, 0, 0], [0, 0, 255, 0], [102, 102, 102, 0]], np.uint8
    )
    stripes = np.repeat(np.repeat(inks[None], 16, 1), 32, 0)
    read = decode(encoded(Image.fromarray(stripes, "CMYK"), "JPEG", quality=100, subsampling=0), "x")
    assert np.abs(read.astype(int) - (255 - stripes[..., :3].astype(int))).max() <= 3


def test_a_one_bit_picture_is_black_and_white():
    bits = np.indices((20, 30)).sum(0) % 2 == 0
    assert np.array_equal(decode(encoded(Image.fromarray(bits), "PNG"), "x"), np.dstack([bits * 255] * 3))


def test_what_is_read_may_be_written(photo):
    read = decode(encoded(Image.fromarray(photo), "PNG"), "x")
    assert read.flags.writeable and read.flags.c_contiguous


def test_a_deep_picture_that_is_cut_is_refused(photo):
    whole = deep_png(np.random.default_rng(1).integers(0, 65536, (60, 60, 3), dtype=np.uint16))
    with pytest.raises(DataError):
        decode(whole[: len(whole) // 2], "x")
