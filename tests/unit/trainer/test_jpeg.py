"""The JPEG of degradations against libjpeg's."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

from workers.trainer.data.jpeg import jpeg


def ours(picture, *qualities):
    x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float().expand(len(qualities), -1, -1, -1)
    return jpeg(x, torch.tensor([float(q) for q in qualities])).permute(0, 2, 3, 1).numpy()


def libjpegs(picture, quality):
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality)
    return np.asarray(Image.open(out))


@pytest.mark.parametrize("quality", [5, 10, 30, 50, 75, 90, 95, 100])
@pytest.mark.parametrize("size", [(128, 128), (123, 119), (16, 24)])
def test_it_loses_what_libjpeg_loses(quality, size):
    picture = np.ascontiguousarray(data.coffee()[100 : 100 + size[0], 100 : 100 + size[1]])
    read = ours(picture, quality)[0]
    theirs = libjpegs(picture, quality)
    lost, expected = (peak_signal_noise_ratio(picture, p.astype(np.uint8)) for p in (read, theirs))
    assert lost == pytest.approx(expected, abs=0.1 if min(size) > 100 else 0.25)
    assert peak_signal_noise_ratio(theirs, read.astype(np.uint8)) > expected + 6


def test_it_gives_whole_numbers_in_range(photo):
    read = ours(photo, 10)
    assert np.array_equal(read, read.round())
    assert (read.min() >= 0, read.max() <= 255) == (True, True)


def test_each_sample_has_its_own_quality(photo):
    both = ours(photo, 10, 95)
    assert np.array_equal(both[0], ours(photo, 10)[0])
    assert np.array_equal(both[1], ours(photo, 95)[0])


def test_a_flat_picture_comes_back_as_it_was():
    flat = np.full((32, 32, 3), 128, np.uint8)
    assert np.array_equal(ours(flat, 50)[0], flat)
