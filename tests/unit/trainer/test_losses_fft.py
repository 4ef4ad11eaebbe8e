"""The Fourier loss against numpy's transform, and what it does not see."""

import numpy as np
import pytest
import torch

from workers.trainer.losses.fft import FftLoss


@pytest.mark.parametrize("cut", [(96, 80), (95, 79)])
def test_it_is_the_mean_difference_of_the_amplitudes(pair, cut):
    sr, hr = (t[..., : cut[0], : cut[1]] for t in pair)
    half = cut[1] // 2 + 1
    amplitudes = [np.abs(np.fft.fft2(t.double().numpy(), norm="ortho"))[..., :half] for t in (sr, hr)]
    expected = np.abs(amplitudes[0] - amplitudes[1]).mean()
    assert FftLoss()(sr, hr).item() == pytest.approx(expected, rel=1e-5)
    assert FftLoss()(sr.double(), hr.double()).item() == pytest.approx(expected, rel=1e-10)


def test_a_single_wave_counts_by_its_amplitude():
    """An orthonormal cosine over n pixels has sqrt(n) / 2 at one place of the half spectrum."""
    side = 16
    wave = torch.cos(2 * torch.pi * 3 * torch.arange(side, dtype=torch.float64) / side).expand(
        1, 1, side, side
    )
    expected = (side / 2) / (side * (side // 2 + 1))
    assert FftLoss()(wave, torch.zeros_like(wave)).item() == pytest.approx(expected, rel=1e-9)


def test_it_does_not_see_where_things_are(pair):
    hr = pair[1]
    assert FftLoss()(hr.roll((5, 9), (-2, -1)), hr).item() == pytest.approx(0, abs=1e-6)


def test_the_gradient_is_zero_where_the_amplitude_is():
    black = torch.zeros(1, 3, 8, 8, requires_grad=True)
    FftLoss()(black, torch.ones(1, 3, 8, 8)).backward()
    assert torch.equal(black.grad, torch.zeros_like(black))
