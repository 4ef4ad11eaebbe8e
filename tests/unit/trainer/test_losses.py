"""Each loss against its formula in float64, and SSIM against scikit-image and kornia."""

from typing import get_args

import kornia
import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from srqueue.spec.losses import CharbonnierSpec, L1Spec, LossSpec, SsimSpec
from workers.trainer.losses import LOSSES
from workers.trainer.losses.weighted import WeightedLosses
from workers.trainer.losses.ssim import ssim_map

ALL = (L1Spec(), CharbonnierSpec(), SsimSpec())


@pytest.fixture
def pair(photo):
    hr = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    noise = torch.randn(hr.shape, generator=torch.Generator().manual_seed(3))
    return (hr + 0.05 * noise), hr


def loss_of(spec, sr, hr):
    return WeightedLosses([spec])(sr, hr)[0]


def test_the_table_has_every_loss_of_the_specs():
    union = get_args(get_args(LossSpec)[0])
    assert {spec().type for spec in union} == set(LOSSES)


def test_l1_is_the_mean_absolute_error(pair):
    sr, hr = (t.double().numpy() for t in pair)
    assert loss_of(L1Spec(), *pair).item() == pytest.approx(np.abs(sr - hr).mean(), rel=1e-6)


@pytest.mark.parametrize("eps", [1e-3, 0.1])
def test_charbonnier_is_the_form_of_super_resolution(pair, eps):
    sr, hr = (t.double().numpy() for t in pair)
    expected = np.sqrt((sr - hr) ** 2 + eps**2).mean()
    assert loss_of(CharbonnierSpec(eps=eps), *pair).item() == pytest.approx(expected, rel=1e-6)


def test_ssim_is_one_minus_scikit_images(pair):
    sr, hr = (t[0].double().numpy() for t in pair)
    _, similarity = structural_similarity(
        sr, hr, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        data_range=1.0, full=True,
    )  # fmt: skip
    expected = 1 - similarity[:, 5:-5, 5:-5].mean()
    in_float64 = 1 - ssim_map(*(t.double() for t in pair)).mean().item()
    assert in_float64 == pytest.approx(expected, abs=1e-9)
    assert loss_of(SsimSpec(), *pair).item() == pytest.approx(expected, abs=5e-6)


def test_the_gradient_of_ssim_is_kornias(pair):
    gradients = []
    for form in (ssim_map, lambda x, y: kornia.metrics.ssim(x, y, 11, eps=0.0, padding="valid")):
        sr = pair[0].double().requires_grad_()
        form(sr, pair[1].double()).mean().backward()
        gradients.append(sr.grad)
    assert torch.allclose(*gradients, atol=1e-9)


@pytest.mark.parametrize("spec", ALL, ids=lambda s: s.type)
def test_a_loss_is_lowest_where_the_pictures_are_equal_and_falls_towards_it(spec, pair):
    """The sign: upstream's `ssimloss` was minimised towards dissimilar pictures."""
    sr, hr = pair
    far, near, equal = (loss_of(spec, hr + k * (sr - hr), hr).item() for k in (1.0, 0.3, 0.0))
    assert far > near > equal
    assert equal == pytest.approx(spec.eps if spec.type == "charbonnier" else 0.0, abs=1e-6)


@pytest.mark.parametrize("spec", ALL, ids=lambda s: s.type)
def test_a_loss_of_a_bf16_output_is_computed_in_float32(spec, pair):
    sr, hr = pair[0].bfloat16(), pair[1]
    with torch.autocast("cpu", torch.bfloat16):
        value = loss_of(spec, sr, hr)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(loss_of(spec, sr.float(), hr).item(), rel=1e-6)


def test_losses_are_weighted_and_named_apart(pair):
    both = WeightedLosses([L1Spec(loss_weight=2.0), SsimSpec(loss_weight=0.05), L1Spec(loss_weight=0.5)])
    total, parts = both(*pair)
    assert both.names == ["l1_0", "ssim", "l1_2"]
    l1, ssim, _ = parts.tolist()
    assert total.item() == pytest.approx(2.5 * l1 + 0.05 * ssim, rel=1e-6)
    assert not parts.requires_grad
