"""One picture file: whole or broken, how large, of what kind."""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workers.data_tools.picture import BrokenPicture, Known, inspect, read_rgb


def _save(image: Image.Image, file: Path, **more) -> Path:
    image.save(file, **more)
    return file


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_a_whole_picture_is_measured_and_hashed(tmp_path, crop, name) -> None:
    file = _save(crop(width=50, height=30), tmp_path / name)
    facts = inspect(file)
    assert (facts.width, facts.height, facts.kind) == (50, 30, "rgb")
    assert facts.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (facts.size, facts.mtime_ns) == (file.stat().st_size, file.stat().st_mtime_ns)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_picture_that_is_cut_off_anywhere_is_broken(tmp_path, crop, name, share) -> None:
    file = _save(crop(width=200, height=150), tmp_path / name)
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BrokenPicture):
        inspect(file)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "empty: 0 bytes"), (b"hello", "not a PNG"), (b"\x89PNG\r\n\x1a\n", "not a PNG|decoded")],
)
def test_files_that_are_no_pictures_say_so(tmp_path, content, says) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(content)
    with pytest.raises(BrokenPicture, match=says):
        inspect(file)


def test_a_turned_bit_in_a_png_is_noticed(tmp_path, crop) -> None:
    file = _save(crop(), tmp_path / "a.png")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(BrokenPicture):
        inspect(file)


def test_a_png_that_claims_to_be_huge_is_refused_before_it_is_decoded(tmp_path) -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    body = b"IDAT" + zlib.compress(b"\0" * 100)
    data = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    file = tmp_path / "bomb.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + data)
    with pytest.raises(BrokenPicture, match="claims"):
        inspect(file)


def test_a_pipe_or_folder_named_like_a_picture_is_no_picture(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(BrokenPicture, match="not a regular file"):
        inspect(tmp_path / "pipe.png")
    with pytest.raises(BrokenPicture, match="No such file"):
        inspect(tmp_path / "none.png")


def test_a_file_without_the_right_to_read_says_so(tmp_path, crop, monkeypatch) -> None:
    file = _save(crop(), tmp_path / "a.png")

    def denied(self: Path) -> bytes:  # root may read anything, so the refusal is simulated
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(BrokenPicture, match="cannot be read: Permission denied"):
        inspect(file)


def test_an_animated_picture_is_refused(tmp_path, crop) -> None:
    file = tmp_path / "a.webp"
    crop().save(file, save_all=True, append_images=[crop(left=9)])
    with pytest.raises(BrokenPicture, match="animated"):
        inspect(file)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("L", "grey"),
        ("LA", "grey+alpha"),
        ("RGBA", "rgb+alpha"),
        ("P", "palette"),
        ("1", "1-bit"),
        ("I;16", "grey 16-bit"),
    ],
)
def test_every_kind_of_png_is_accepted_and_named(tmp_path, crop, mode, kind) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.asarray(crop().convert("L"), np.uint16) * 257)
    else:
        image = crop().convert(mode)
    facts = inspect(_save(image, tmp_path / "a.png"), thumbnail=True)
    assert facts.kind == kind
    assert facts.thumbnail is not None and np.linalg.norm(facts.thumbnail) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("mode", "transparency", "kind"),
    [("P", 3, "palette+alpha"), ("RGB", (1, 2, 3), "rgb+alpha"), ("L", 7, "grey+alpha")],
)
def test_a_transparent_colour_is_alpha_too(tmp_path, crop, mode, transparency, kind) -> None:
    file = _save(crop().convert(mode), tmp_path / "a.png", transparency=transparency)
    facts = inspect(file)
    assert facts.kind == kind
    known = Known(
        facts.width, facts.height, facts.size, facts.mtime_ns, facts.sha256, facts.sharpness, facts.thumbnail
    )
    assert inspect(file, known).kind == kind, "by the header alone"


def test_a_16_bit_rgb_png_is_named_though_pillow_reads_8_bits(tmp_path) -> None:
    rows = b"".join(b"\0" + bytes(range(6 * 4)) for _ in range(4))
    chunks = b""
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ):
        chunks += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    file = tmp_path / "a.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    assert inspect(file).kind == "rgb 16-bit"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_and_pixels_follow_the_exif_orientation(tmp_path, crop, orientation) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = _save(crop(width=50, height=30), tmp_path / "a.png", exif=exif)
    facts = inspect(file)
    assert (facts.width, facts.height) == ((50, 30) if orientation < 5 else (30, 50))
    assert read_rgb(file).shape == (facts.height, facts.width, 3)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # as the tool's main function does
@pytest.mark.parametrize("exif", [b"garbage", b"Exif\x00\x00MM\x00*\x00\x00\x00\xff", b"Exif\x00\x00II*\x00"])
def test_a_broken_exif_does_not_break_the_picture(tmp_path, crop, exif) -> None:
    file = _save(crop(width=50, height=30), tmp_path / "a.jpg", exif=exif)
    facts = inspect(file)
    assert (facts.width, facts.height) == (50, 30)


def test_a_known_file_is_not_read_again(tmp_path, crop) -> None:
    file = _save(crop(width=50, height=30), tmp_path / "a.png")
    facts = inspect(file)
    known = Known(50, 30, facts.size, facts.mtime_ns, "from the listing", facts.sharpness)
    assert inspect(file, known).sha256 == "from the listing"
    assert inspect(file, known).kind == "rgb"
    assert inspect(file, replace(known, sharpness=None)) == facts, "an older listing: measured now"

    os.utime(file, ns=(1, 1))
    assert inspect(file, known).sha256 == facts.sha256


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "jpeg", "webp"])
def test_a_picture_of_one_colour_teaches_nothing_and_is_refused(tmp_path, mode) -> None:
    ending = f".{mode}" if mode in ("jpeg", "webp") else ".png"
    if mode == "I;16":
        image = Image.fromarray(np.full((30, 40), 1234, np.uint16))
    else:
        image = Image.new(mode if ending == ".png" else "RGB", (40, 30), "white")
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40).astype(np.uint8)))
    with pytest.raises(BrokenPicture, match="all its 40x30 pixels are equal"):
        inspect(_save(image, tmp_path / f"a{ending}"))


def test_one_other_pixel_is_enough(tmp_path) -> None:
    image = Image.new("RGB", (40, 30))
    image.putpixel((3, 3), (0, 0, 1))
    assert inspect(_save(image, tmp_path / "a.png")).sharpness == 0
