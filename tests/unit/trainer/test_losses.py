"""What holds for every loss, and the pointwise ones against their formulas in float64."""

from typing import get_args

import numpy as np
import pytest
import torch
from skimage.color import rgb2ycbcr

from srqueue.spec.losses import (
    CharbonnierSpec,
    FftSpec,
    GradientSpec,
    L1Spec,
    L2Spec,
    LossSpec,
    LumaSpec,
    MsSsimSpec,
    SsimSpec,
)
from workers.trainer.losses import LOSSES
from workers.trainer.losses.weighted import WeightedLosses

ALL = (L1Spec(), LumaSpec(), L2Spec(), CharbonnierSpec(), SsimSpec(), MsSsimSpec(), FftSpec(), GradientSpec())


def loss_of(spec, sr, hr):
    return LOSSES[spec.type](spec)(sr, hr)


def test_the_table_has_every_loss_of_the_specs():
    union = get_args(get_args(LossSpec)[0])
    assert {spec().type for spec in union} == set(LOSSES) == {spec.type for spec in ALL}


def test_l1_is_the_mean_absolute_error(pair):
    sr, hr = (t.double().numpy() for t in pair)
    assert loss_of(L1Spec(), *pair).item() == pytest.approx(np.abs(sr - hr).mean(), rel=1e-6)


def test_l2_is_the_mean_squared_error(pair):
    sr, hr = (t.double().numpy() for t in pair)
    assert loss_of(L2Spec(), *pair).item() == pytest.approx(((sr - hr) ** 2).mean(), rel=1e-6)


def test_luma_is_the_error_of_what_psnr_y_looks_at(pair):
    """Against the studio-range luma of scikit-image, which is 219/255 as wide."""
    sr, hr = (rgb2ycbcr(t.double().numpy(), channel_axis=1)[:, 0] for t in pair)
    assert loss_of(LumaSpec(), *pair).item() == pytest.approx(np.abs(sr - hr).mean() / 219, rel=1e-4)


@pytest.mark.parametrize("eps", [1e-3, 0.1])
def test_charbonnier_is_the_form_of_super_resolution(pair, eps):
    sr, hr = (t.double().numpy() for t in pair)
    expected = np.sqrt((sr - hr) ** 2 + eps**2).mean()
    assert loss_of(CharbonnierSpec(eps=eps), *pair).item() == pytest.approx(expected, rel=1e-6)


def test_gradient_compares_the_steps_from_each_pixel_to_its_neighbours(pair):
    sr, hr = (t.double().numpy() for t in pair)
    across = np.abs((sr[..., 1:] - sr[..., :-1]) - (hr[..., 1:] - hr[..., :-1])).mean()
    down = np.abs((sr[..., 1:, :] - sr[..., :-1, :]) - (hr[..., 1:, :] - hr[..., :-1, :])).mean()
    assert loss_of(GradientSpec(), *pair).item() == pytest.approx(across + down, rel=1e-5)


def test_gradient_does_not_see_a_constant_offset(pair):
    _, hr = pair
    assert loss_of(GradientSpec(), hr + 0.25, hr).item() == pytest.approx(0, abs=1e-7)


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


@pytest.mark.parametrize("spec", ALL, ids=lambda s: s.type)
def test_the_gradient_is_that_of_finite_differences(spec):
    """In float64, at 23 x 25 pixels: two scales of MS-SSIM with an odd side. One channel, but for luma, which
    would be L1 then."""
    draw = torch.Generator().manual_seed(1)
    hr = torch.rand(1, 3 if spec.type == "luma" else 1, 23, 25, generator=draw, dtype=torch.float64)
    sr = (hr + 0.1 * torch.randn(hr.shape, generator=draw, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss_of(spec, x, hr), sr, eps=1e-7, atol=1e-7, rtol=1e-4)


@pytest.mark.parametrize("spec", ALL, ids=lambda s: s.type)
@pytest.mark.parametrize("sr", ["black", "equal", "negative"])
def test_the_gradient_is_finite_where_a_formula_has_a_corner(spec, sr, pair):
    """Amplitudes of 0, errors of 0, similarities below 0."""
    hr = pair[1]
    x = {"black": torch.zeros_like(hr), "equal": hr.clone(), "negative": 1 - hr}[sr].requires_grad_()
    loss_of(spec, x, hr).backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("spec", ALL, ids=lambda s: s.type)
def test_the_memory_layout_does_not_matter(spec, pair):
    """channels_last has other strides, and so other sums."""
    value = loss_of(spec, *pair).item()
    strided = [t.contiguous(memory_format=torch.channels_last) for t in pair]
    assert loss_of(spec, *strided).item() == pytest.approx(value, rel=1e-5)


def test_losses_are_weighted_and_named_apart(pair):
    both = WeightedLosses([L1Spec(loss_weight=2.0), SsimSpec(loss_weight=0.05), L1Spec(loss_weight=0.5)])
    total, parts = both(*pair)[:2]
    assert both.names == ["l1_0", "ssim", "l1_2"]
    l1, ssim, _ = parts.tolist()
    assert total.item() == pytest.approx(2.5 * l1 + 0.05 * ssim, rel=1e-6)
    assert not parts.requires_grad
