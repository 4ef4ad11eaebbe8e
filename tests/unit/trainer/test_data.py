"""Pictures: decoding, pairing, crops."""

import io
import os

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from srqueue.errors import DataError
from srqueue.spec.job import TrainSetSpec
from workers.trainer.data.batches import Batches
from workers.trainer.data.decode import DataMissing, decode, read_original, read_picture
from workers.trainer.data.pictures import Pictures, free_memory
from workers.trainer.data.resize import resize_picture
from workers.trainer.sampling import draw, place

CPU = torch.device("cpu")


def encoded(image, form="PNG", **more):
    out = io.BytesIO()
    image.save(out, form, **more)
    return out.getvalue()


def test_an_rgb_picture_is_read_as_it_is(photo):
    assert np.array_equal(decode(encoded(Image.fromarray(photo)), "x"), photo)


def test_grey_is_repeated_and_alpha_dropped(photo):
    grey = photo[..., 0]
    assert np.array_equal(decode(encoded(Image.fromarray(grey)), "x"), np.stack([grey] * 3, 2))
    alpha = np.dstack([photo, np.full(photo.shape[:2], 7, np.uint8)])
    assert np.array_equal(decode(encoded(Image.fromarray(alpha)), "x"), photo)


@pytest.mark.parametrize(
    ("mode", "grey"), [("L", True), ("LA", True), ("I;16", True), ("1", True), ("RGB", False)]
)
def test_what_has_one_channel_is_grey_and_three_equal_ones_are_not(tmp_path, photo, mode, grey):
    Image.fromarray(photo[..., 0]).convert(mode).save(tmp_path / "x.png")
    assert read_original(tmp_path / "x.png")[1] is grey


def test_a_palette_with_transparency_is_read(photo):
    palette = Image.fromarray(photo).quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    assert np.array_equal(decode(encoded(palette, transparency=0), "x"), expected)


def test_sixteen_bit_grey_is_scaled_to_eight():
    deep = np.array([[0, 257, 128 * 257, 65535]], dtype=np.uint16)
    assert decode(encoded(Image.fromarray(deep)), "x")[0, :, 0].tolist() == [0, 1, 128, 255]


def test_the_orientation_of_a_photograph_is_applied(photo):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate 90 degrees clockwise
    turned = decode(encoded(Image.fromarray(photo), exif=exif), "x")
    assert np.array_equal(turned, np.rot90(photo, -1))


@pytest.mark.parametrize("broken", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n garbage"])
def test_what_is_no_picture_is_named(tmp_path, broken):
    (tmp_path / "x.png").write_bytes(broken)
    with pytest.raises(DataError, match=r"x\.png"):
        read_picture(tmp_path / "x.png")


def test_a_cut_picture_is_refused(photo):
    whole = encoded(Image.fromarray(photo))
    with pytest.raises(DataError):
        decode(whole[: len(whole) // 2], "x")


def test_a_missing_picture_is_told_apart_from_a_broken_one(tmp_path):
    with pytest.raises(DataMissing, match=r"x\.png"):
        read_picture(tmp_path / "x.png")


def open_pictures(listing, scale=2, keep_free=None):
    from pathlib import Path

    lr_root = Path(listing.lr_root) if listing.lr_root else None
    return Pictures(listing.pictures, Path(listing.hr_root), lr_root, scale, keep_free)


def test_lr_is_made_by_antialiased_bicubic_from_hr_cut_to_a_multiple(listed, photo):
    pair = open_pictures(listed({"a": photo[:95, :79]}))[0]
    assert np.array_equal(pair.hr, photo[:94, :78])
    assert np.array_equal(pair.lr, resize_picture(photo[:94, :78], (47, 39)))
    reference = Image.fromarray(pair.hr).resize((39, 47), Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(reference).astype(int) - pair.lr).max() <= 1


def test_an_lr_folder_is_used_where_there_is_one(listed, photo, tmp_path):
    listing = listed({"a": photo}, lr=2)
    assert np.array_equal(open_pictures(listing)[0].lr, resize_picture(photo, (48, 40)))
    Image.fromarray(photo[:40, :40]).save(tmp_path / "lr" / "a.png")
    with pytest.raises(DataError, match="not what it was"):
        open_pictures(listing)[0]


def test_a_picture_that_was_changed_is_refused(listed, photo, tmp_path):
    listing = listed({"a": photo})
    Image.fromarray(photo[::-1]).save(tmp_path / "hr" / "a.png")
    with pytest.raises(DataError, match="not what it was when the data set was added"):
        open_pictures(listing)[0]


def test_files_that_are_gone_or_have_another_size_are_found_without_reading_them(listed, photo, tmp_path):
    pictures = open_pictures(listed({"a": photo, "b": photo[::-1].copy()}, lr=2))
    pictures.check_files()
    small = tmp_path / "lr" / "b.png"
    small.write_bytes(small.read_bytes() + b"\0")
    with pytest.raises(DataError, match="bytes, not") as caught:
        pictures.check_files()
    assert str(small) in str(caught.value)
    assert not isinstance(caught.value, DataMissing)
    (tmp_path / "hr" / "b.png").unlink()
    with pytest.raises(DataMissing, match=r"b\.png"):
        pictures.check_files()


def test_a_batch_holds_the_crops_of_a_whole_step(two):
    """Two batches of five whose gradients are added up are one of ten."""
    lr, hr = batches(two, accum_iter=2)[7]
    assert (len(lr), len(hr)) == (10, 10)
    for one, other in zip((lr, hr), batches(two, batch_size=10)[7], strict=True):
        assert torch.equal(one, other)


def test_degradations_change_lr_only_and_in_every_order(two):
    steps = {"degradations": {"after": [{"type": "noise", "sigma": [5, 9]}, {"type": "jpeg"}]}}
    plain, one, other = batches(two), batches(two, **steps), batches(two, **steps)
    straight = [one[i] for i in range(40)]
    for i in (39, 0, 33, 5):
        assert torch.equal(straight[i][1], plain[i][1])
        assert not torch.equal(straight[i][0], plain[i][0])
        assert all(torch.equal(a, b) for a, b in zip(other[i], straight[i], strict=True))


def test_a_picture_is_decoded_once_while_memory_lasts(listed, photo):
    listing = listed({"a": photo})
    pictures = open_pictures(listing)
    assert pictures[0] is pictures[0]
    scarce = open_pictures(listing, keep_free=2**62)
    one, two = scarce[0], scarce[0]
    assert one is not two
    assert np.array_equal(one.hr, two.hr)


def test_free_memory_is_some_of_what_the_machine_has():
    assert 0 < free_memory() < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def two(listed, photo):
    return open_pictures(listed({"a": photo, "b": np.ascontiguousarray(data.coffee()[40:140, 60:150])}))


def batches(pictures, channels_last=False, seed=7, **more):
    spec = TrainSetSpec(name="tiny", **{"lq_size": 16, "batch_size": 5, **more})
    return Batches(pictures, spec, seed, CPU, channels_last)


def test_a_batch_is_the_crops_that_were_drawn(two):
    lr, hr = batches(two)[40]
    drawn = draw(7, 40, 1, 5, 2)
    for slot in range(5):
        pair = two[int(drawn.picture[0, slot])]
        top = place(int(drawn.top[0, slot]), pair.lr.shape[0] - 15)
        left = place(int(drawn.left[0, slot]), pair.lr.shape[1] - 15)
        for got, source, k in ((lr, pair.lr, 1), (hr, pair.hr, 2)):
            crop = source[top * k : (top + 16) * k, left * k : (left + 16) * k]
            crop = crop[:, ::-1] if drawn.hflip[0, slot] else crop
            crop = crop[::-1] if drawn.vflip[0, slot] else crop
            crop = crop.swapaxes(0, 1) if drawn.transpose[0, slot] else crop
            assert np.allclose(got[slot].permute(1, 2, 0).numpy(), crop / 255, atol=1e-7)


def test_a_batch_does_not_depend_on_what_was_asked_before(two):
    straight, jumping = batches(two), batches(two)
    expected = [straight[i] for i in range(70)]
    for i in (69, 3, 32, 31, 3):
        assert all(torch.equal(a, b) for a, b in zip(jumping[i], expected[i], strict=True))


def test_the_memory_layout_changes_no_value(two):
    for plain, last in zip(batches(two)[5], batches(two, channels_last=True)[5], strict=True):
        assert torch.equal(plain, last)
        assert plain.is_contiguous()
        assert last.is_contiguous(memory_format=torch.channels_last)
        assert (plain.dtype, float(plain.min()) >= 0, float(plain.max()) <= 1) == (torch.float32, True, True)


def test_without_augmentation_crops_stand_as_in_the_picture(two):
    lr, _ = batches(two, use_hflip=False, use_rot=False)[0]
    drawn = draw(7, 0, 1, 5, 2)
    pair = two[int(drawn.picture[0, 0])]
    top, left = (
        place(int(w[0, 0]), n - 15) for w, n in zip((drawn.top, drawn.left), pair.lr.shape, strict=False)
    )
    assert np.allclose(
        lr[0].permute(1, 2, 0).numpy() * 255, pair.lr[top : top + 16, left : left + 16], atol=1e-4
    )


def test_a_picture_smaller_than_the_crop_is_named(two):
    with pytest.raises(DataError, match=r"a\.png") as caught:
        batches(two, lq_size=48)
    assert "lq_size" in caught.value.hint
