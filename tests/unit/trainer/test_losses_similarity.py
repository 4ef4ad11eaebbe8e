"""SSIM against scikit-image and kornia; MS-SSIM against both, scale by scale, and Wang's formula in numpy."""

import kornia
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import correlate1d
from skimage.metrics import structural_similarity

from srqueue.spec.losses import SMALLEST_CROP
from workers.trainer.losses.banded import banded
from workers.trainer.losses.ms_ssim import MsSsimLoss, scale_weights
from workers.trainer.losses.ssim import SsimLoss, contrast_structure_map, ssim_map

WANG = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def skimage_ssim(sr, hr):
    """Mean over valid windows and channels of float64 [C, H, W]."""
    _, similarity = structural_similarity(
        sr, hr, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        data_range=1.0, full=True,
    )  # fmt: skip
    return similarity[:, 5:-5, 5:-5].mean()


def numpy_terms(x, y):
    """Mean contrast-structure and mean SSIM of float64 [H, W], from the definitions."""
    at = np.arange(-5, 6)
    window = np.exp(-(at**2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(z):
        return correlate1d(correlate1d(z, window, 0), window, 1)[5:-5, 5:-5]

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    contrast_structure = (2 * cov + 0.03**2) / (vx + vy + 0.03**2)
    luminance = (2 * mx * my + 0.01**2) / (mx * mx + my * my + 0.01**2)
    return contrast_structure.mean(), (luminance * contrast_structure).mean()


def halved(x):
    """2x2 means of [..., H, W]; an odd last row or column is left out."""
    rows, columns = x.shape[-2] // 2 * 2, x.shape[-1] // 2 * 2
    x = x[..., :rows, :columns]
    return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4


def numpy_ms_ssim(sr, hr, scales):
    weights = np.array(WANG[:scales]) / sum(WANG[:scales])
    values = []
    for x, y in zip(sr.reshape(-1, *sr.shape[-2:]), hr.reshape(-1, *hr.shape[-2:]), strict=True):
        value = 1.0
        for j, weight in enumerate(weights):
            contrast_structure, ssim = numpy_terms(x, y)
            value *= (ssim if j == scales - 1 else contrast_structure) ** weight
            x, y = halved(x), halved(y)
        values.append(value)
    return np.mean(values)


def test_ssim_is_one_minus_scikit_images(pair):
    expected = 1 - skimage_ssim(*(t[0].double().numpy() for t in pair))
    assert SsimLoss()(*(t.double() for t in pair)).item() == pytest.approx(expected, abs=1e-9)
    assert SsimLoss()(*pair).item() == pytest.approx(expected, abs=5e-6)


def test_the_gradient_of_ssim_is_kornias(pair):
    gradients = []
    for form in (ssim_map, lambda x, y: kornia.metrics.ssim(x, y, 11, eps=0.0, padding="valid")):
        sr = pair[0].double().requires_grad_()
        form(sr, pair[1].double()).mean().backward()
        gradients.append(sr.grad)
    assert torch.allclose(*gradients, atol=1e-9)


@pytest.mark.parametrize("size", [(11, 11), (12, 64), (65, 40), (96, 131), (160, 74)])
def test_the_loss_has_the_value_and_the_gradient_of_the_map(size):
    """The one is worked out by hand, some pictures at a time; the other is torch's."""
    generator = torch.Generator().manual_seed(size[0])
    x, y = torch.rand(2, 9, 3, *size, dtype=torch.float64, generator=generator)
    x = (y + 0.2 * (x - 0.5)).requires_grad_()
    found = []
    for form in (lambda: 3 * SsimLoss()(x, y), lambda: 3 * (1 - ssim_map(x, y).mean())):
        value = form()
        found.append((value.item(), torch.autograd.grad(value, x)[0]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-12)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-9, atol=1e-14)


@given(columns=st.integers(1, 200), taps=st.integers(1, 40), transposed=st.booleans())
def test_a_product_in_blocks_is_the_product(columns, taps, transposed):
    generator = torch.Generator().manual_seed(columns * 41 + taps)
    band = torch.zeros(columns + taps - 1, columns, dtype=torch.float64)
    for j in range(columns):
        band[j : j + taps, j] = torch.rand(taps, dtype=torch.float64, generator=generator)
    band = band.t() if transposed else band
    x = torch.rand(2, 3, band.shape[0], dtype=torch.float64, generator=generator)
    torch.testing.assert_close(banded(x, band), x @ band, rtol=1e-12, atol=1e-12)


def test_both_terms_are_right_at_every_scale(pair):
    """SSIM of scikit-image and of kornia, contrast-structure of the definition: 96x80, 48x40, 24x20."""
    sr, hr = (t.double() for t in pair)
    for side in (80, 40, 20):
        assert sr.shape[-1] == side
        ssim = ssim_map(sr, hr).mean().item()
        assert ssim == pytest.approx(skimage_ssim(sr[0].numpy(), hr[0].numpy()), abs=1e-9)
        theirs = kornia.metrics.ssim(sr, hr, 11, eps=0.0, padding="valid").mean().item()
        assert ssim == pytest.approx(theirs, abs=1e-9)
        terms = [numpy_terms(x, y) for x, y in zip(sr[0].numpy(), hr[0].numpy(), strict=True)]
        contrast_structure = contrast_structure_map(sr, hr).mean().item()
        assert contrast_structure == pytest.approx(np.mean([cs for cs, _ in terms]), abs=1e-9)
        sr, hr = halved(sr), halved(hr)


@pytest.mark.parametrize(
    ("height", "width", "scales"),
    [
        (11, 11, 1),
        (21, 40, 1),
        (22, 22, 2),
        (23, 45, 2),
        (64, 64, 3),
        (90, 89, 4),
        (176, 180, 5),
        (400, 352, 5),
    ],
)
def test_ms_ssim_is_wangs_formula(height, width, scales):
    draw = np.random.default_rng(height)
    hr = draw.random((2, 3, height, width))
    sr = 0.7 * hr + 0.3 * draw.random(hr.shape)
    expected = 1 - numpy_ms_ssim(sr, hr, scales)
    tensors = [torch.from_numpy(a) for a in (sr, hr)]
    assert MsSsimLoss()(*tensors).item() == pytest.approx(expected, abs=1e-9)
    assert MsSsimLoss()(*(t.float() for t in tensors)).item() == pytest.approx(expected, abs=1e-5)
    assert len(scale_weights(min(height, width))) == scales


def test_on_a_small_crop_ms_ssim_is_ssim():
    draw = torch.Generator().manual_seed(2)
    sr, hr = (torch.rand(1, 1, 21, 21, generator=draw) for _ in range(2))
    assert MsSsimLoss()(sr, hr).item() == pytest.approx(SsimLoss()(sr, hr).item(), abs=1e-6)


@given(st.integers(SMALLEST_CROP["ms_ssim"], 5000))
def test_the_coarsest_scale_has_eleven_pixels_and_the_weights_add_up_to_one(size):
    weights = scale_weights(size)
    assert sum(weights) == pytest.approx(1)
    assert size // 2 ** (len(weights) - 1) >= 11
    assert len(weights) == 5 or size // 2 ** len(weights) < 11
    assert [w / weights[0] for w in weights] == pytest.approx([w / WANG[0] for w in WANG[: len(weights)]])


def test_scales_and_weights_are_told_for_the_record():
    assert MsSsimLoss().describe(64) == {"scales": 3, "weights": [0.0711, 0.453, 0.476]}
    assert MsSsimLoss().describe(256) == {"scales": 5, "weights": list(WANG)}


def test_pictures_that_contradict_each_other_count_as_dissimilar_as_can_be():
    """All similarities are negative; without the bound their powers would be NaN."""
    noise = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(4))
    sr = (1 - noise).requires_grad_()
    value = MsSsimLoss()(sr, noise)
    value.backward()
    assert value.item() == pytest.approx(1, abs=2e-4)
    assert value.item() <= 1
    assert torch.isfinite(sr.grad).all()
