"""On-the-fly degradations on CUDA: under deterministic algorithms, twice the same, and as on the CPU."""

import pytest
import torch

from srqueue.spec.degradations import BlurSpec, DegradationsSpec, JpegSpec, NoiseSpec, ResizeSpec
from workers.trainer.data.degrade import Degradations

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here; run: make gpu-check"),
]

CHAINS = {
    "blur": {"before": (BlurSpec(probability=0.7),)},
    "noise": {"after": (NoiseSpec(probability=0.7),)},
    "grey noise": {"after": (NoiseSpec(grey=True),)},
    "jpeg": {"after": (JpegSpec(probability=0.7),)},
    "resize": {"before": (ResizeSpec(probability=0.7),)},
}


@pytest.fixture
def deterministic():
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(before)


@pytest.mark.parametrize("chain", CHAINS)
def test_a_step_is_deterministic_and_within_a_level_or_two_of_the_cpu(chain, deterministic):
    noise = torch.rand(16, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    hr = torch.nn.functional.interpolate(noise, scale_factor=8, mode="bilinear").mul(255).round().div(255)
    lr = torch.nn.functional.avg_pool2d(hr, 2).mul(255).round().div(255)
    degrade = Degradations(DegradationsSpec(**CHAINS[chain]), 7)
    cuda = [degrade(lr.cuda(), hr.cuda(), i) for i in range(4)]
    for i, first in enumerate(cuda):
        assert torch.equal(first, degrade(lr.cuda(), hr.cuda(), i))
        off = (first.cpu() - degrade(lr, hr, i)).abs() * 255
        assert off.mean() < 0.1, "a coefficient of JPEG may be rounded the other way, not more"
        assert torch.quantile(off.flatten(), 0.999) < 3
