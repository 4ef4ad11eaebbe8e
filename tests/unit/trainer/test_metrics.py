"""PSNR and SSIM against scikit-image, luma against MATLAB's, and the literature's bicubic row."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import srqueue
from srqueue.run.listing import Picture
from workers.trainer.data.pictures import Pictures
from workers.trainer.metrics import compare, luma, psnr, ssim
from workers.trainer.metrics.luma import grey_luma
from workers.trainer.validation import Validator

TESTS = Path(srqueue.__file__).parents[2] / "shared/data/test"


def rgb(*colour):
    return torch.tensor(colour, dtype=torch.uint8)[:, None, None]


@pytest.fixture
def noisy(photo):
    noise = np.random.default_rng(4).normal(0, 9, photo.shape)
    return np.clip(photo + noise, 0, 255).astype(np.uint8)


def chw(picture):
    return torch.from_numpy(picture).permute(2, 0, 1)


# What MATLAB's rgb2ycbcr gives for these colours.
@pytest.mark.parametrize(
    ("colour", "y"),
    [((0, 0, 0), 16), ((255, 255, 255), 235), ((255, 0, 0), 81), ((0, 255, 0), 145), ((0, 0, 255), 41)],
)
def test_luma_is_bt601_in_studio_range(colour, y):
    assert luma(rgb(*colour)).item() == y


def test_a_grey_picture_is_its_own_luma():
    greys = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).expand(3, -1, -1)
    assert torch.equal(grey_luma(greys), greys[0].double())


def test_psnr_is_scikit_images(photo, noisy):
    expected = peak_signal_noise_ratio(photo, noisy, data_range=255)
    assert psnr(chw(noisy), chw(photo)) == pytest.approx(expected, abs=1e-9)


def test_equal_pictures_count_as_100_db(photo):
    assert psnr(chw(photo), chw(photo)) == 100


def test_ssim_is_scikit_images(photo, noisy):
    x, y = (luma(chw(p)) for p in (noisy, photo))
    _, similarity = structural_similarity(
        x.numpy(), y.numpy(), gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        data_range=255, full=True,
    )  # fmt: skip
    assert ssim(x, y) == pytest.approx(similarity[5:-5, 5:-5].mean(), abs=5e-6)


def test_the_border_does_not_count(photo, noisy):
    clean_border = photo.copy()
    clean_border[3:-3, 3:-3] = noisy[3:-3, 3:-3]
    one, two = (compare(chw(p), chw(photo), 3, grey=False) for p in (noisy, clean_border))
    assert one == two
    assert one["psnr_rgb"] < one["psnr"] < 40


def validator(folder, names):
    found = []
    for name in names:
        with Image.open(folder / name) as image:
            found.append(Picture(name, image.width, image.height, 0, 0, ""))
    pictures = Pictures(tuple(found), folder, None, 2)
    return Validator("Set5", pictures, torch.device("cpu"), lambda: False)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "pictures", "psnr_y", "ssim_y"),
    [("Set5", 5, 33.647, 0.9295), ("Set14", 14, 30.224, 0.8685), ("B100", 100, 29.552, 0.8428)],
)
def test_bicubic_is_the_literatures(name, pictures, psnr_y, ssim_y):
    """Down and up by torch's antialiased bicubic, LR rounded to 8 bits.

    Set14 has a grey file, which is its own Y, and one with three equal channels, which goes through luma.
    """
    folder = TESTS / name
    if not folder.is_dir():
        pytest.skip(f"the benchmark pictures are not beside the checkout ({folder})")
    names = sorted(p.name for p in folder.iterdir() if p.suffix == ".png")
    assert len(names) == pictures
    means = validator(folder, names).bicubic()
    assert means["bicubic/psnr"] == pytest.approx(psnr_y, abs=0.0015)
    assert means["bicubic/ssim"] == pytest.approx(ssim_y, abs=0.0001)
    if name == "Set5":
        assert means["bicubic/psnr_rgb"] == pytest.approx(31.798, abs=0.0015)
