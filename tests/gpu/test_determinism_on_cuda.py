"""Every network, loss, optimizer and precision on CUDA: the same steps give the same bits."""

import os

import pytest
import torch

from srqueue.spec.expand import DatasetRef, expand
from srqueue.spec.networks import NETWORK_SPECS, SPANDREL
from workers.trainer.archs import build_network
from workers.trainer.losses import LOSSES
from workers.trainer.losses.weighted import WeightedLosses
from workers.trainer.optim.optimizer import OPTIMIZERS
from workers.trainer.step import Step

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here; run: make gpu-check"),
]

STEPS = 3

# As workers.trainer.process sets it; cuBLAS reads it once, when it is first used.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@pytest.fixture
def exact():
    """As the trainer sets it."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(before)


def trained(architecture="compact", precision="fp32", scale=2, **train):
    """Weights after some steps from a fixed start."""
    changes = {
        "scale": scale,
        "compute": {"precision": precision},
        "datasets": {"train": {"lq_size": 64, "batch_size": 2}},
        "train": {"total_iter": STEPS, **train},
    }
    spec = expand(DatasetRef("none"), architecture=architecture, overrides=[("test", changes)]).spec
    torch.manual_seed(3)
    net = build_network(spec.network_g, scale).to("cuda", memory_format=torch.channels_last)
    losses = WeightedLosses(spec.train.losses).to("cuda")
    step = Step(net, losses, spec, torch.device("cuda"), lambda action: None)
    generator = torch.Generator().manual_seed(5)
    for _ in range(STEPS):
        hr = torch.rand(2, 3, 64 * scale, 64 * scale, generator=generator)
        lr = torch.nn.functional.avg_pool2d(hr, scale)
        step(lr.cuda(), hr.cuda(), 1e-3)
    return {name: t.cpu() for name, t in net.state_dict().items()}


def assert_repeats(**given):
    first, again = trained(**given), trained(**given)
    assert [name for name in first if not torch.equal(first[name], again[name])] == []


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("architecture", [name for name in NETWORK_SPECS if name != SPANDREL])
def test_networks(exact, architecture, scale):
    assert_repeats(architecture=architecture, scale=scale)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses(exact, loss):
    assert_repeats(losses=[{"type": loss}])


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers(exact, optimizer, precision):
    if precision == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        pytest.skip("this GPU does not compute in bf16")
    assert_repeats(optim_g={"type": optimizer, "lr": 1e-3}, precision=precision)
