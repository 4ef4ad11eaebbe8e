"""Muon against torch's own, its polynomial in float64, and which parameters it takes."""

import numpy as np
import pytest
import torch
from torch import nn

from srqueue.spec.networks import NETWORK_SPECS
from srqueue.spec.optimizers import MuonSpec
from workers.trainer.archs import build_network
from workers.trainer.optim.muon import Muon, inner_convolutions, orthogonalise
from workers.trainer.optim.optimizer import Optimizer

REAL = ("compact", "edsr", "span", *(f"paragonsr2_{size}" for size in ("nano", "tiny", "realtime", "stream")))
SHAPES = [(8, 6, 3, 3), (8, 6, 3, 3), (64, 4, 2, 2), (5, 7, 1, 1), (9, 1, 3, 3)]


def drawn(shape, seed, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def both(dtype):
    """(weights [out, in, kh, kw] with our Muon, the same as matrices with torch's)."""
    ours = [nn.Parameter(drawn(shape, i, dtype)) for i, shape in enumerate(SHAPES)]
    theirs = [nn.Parameter(p.detach().flatten(1).clone()) for p in ours]
    reference = torch.optim.Muon(
        theirs, lr=0.02, weight_decay=0.1, momentum=0.95, nesterov=True, adjust_lr_fn="match_rms_adamw"
    )
    return ours, Muon(ours, lr=0.02, momentum=0.95, weight_decay=0.1), theirs, reference


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_steps_are_torchs_up_to_its_bfloat16(layout):
    ours, optimizer, theirs, reference = both(torch.float32)
    for p in ours:
        p.data = p.data.contiguous(memory_format=layout)
    start = [p.detach().clone() for p in ours]
    for step in range(6):
        for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            gradient = drawn(p.shape, 100 + 10 * step + i)
            p.grad = gradient.contiguous(memory_format=layout)
            q.grad = gradient.flatten(1).clone()
        optimizer.step()
        reference.step()
    for p, q, before in zip(ours, theirs, start, strict=True):
        moved = (p - before).flatten(1)
        error = (moved - (q - before.flatten(1))).norm() / moved.norm()
        assert error < 0.02
        assert optimizer.state[p]["momentum_buffer"].flatten(1) == pytest.approx(
            reference.state[q]["momentum_buffer"], rel=1e-6
        )


def polynomial(s):
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return s


@pytest.mark.parametrize("shape", [(8, 54), (54, 8), (16, 16)])
def test_newton_schulz_is_its_polynomial_of_the_singular_values(shape):
    """Exactly, in float64: U diag(p(s / |s|)) V^T of numpy's SVD; a batch is its single matrices."""
    matrices = drawn((3, *shape), 0, torch.float64)
    for matrix, result in zip(matrices.numpy(), orthogonalise(matrices).numpy(), strict=True):
        u, s, vt = np.linalg.svd(matrix, full_matrices=False)
        assert result == pytest.approx(u * polynomial(s / np.linalg.norm(s)) @ vt, abs=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(32, 288), (128, 48), (14, 14)])
def test_an_update_is_nearly_orthogonal(shape, dtype):
    """Singular values near 1, but for those that were under a hundredth of the norm."""
    matrix = drawn((1, *shape), 1, dtype)
    before = torch.linalg.svdvals(matrix[0]) / matrix.norm()
    after = torch.linalg.svdvals(orthogonalise(matrix)[0])
    assert (after < 1.3).all()
    assert (after[before > 0.01] > 0.6).all()


def test_an_update_has_the_size_of_adamws():
    """Root mean square near 0.2 times the rate whatever the shape (Liu et al., 2025)."""
    for shape in [(32, 32, 3, 3), (64, 16, 1, 1), (16, 64, 3, 3)]:
        weight = nn.Parameter(torch.zeros(shape))
        optimizer = Muon([weight], lr=0.5, momentum=0.95, weight_decay=0.0)
        weight.grad = drawn(shape, 2)
        optimizer.step()
        assert 0.6 < weight.detach().square().mean().sqrt().item() / (0.5 * 0.2) < 1.2


def test_gradients_of_zero_and_missing_ones_do_no_harm():
    """The inner layers of a network whose last one starts at zero."""
    still, missing = (nn.Parameter(drawn((4, 4, 3, 3), i)) for i in (1, 2))
    kept = missing.detach().clone()
    optimizer = Muon([still, missing], lr=0.1, momentum=0.9, weight_decay=0.5)
    still.grad = torch.zeros_like(still)
    before = still.detach().clone()
    optimizer.step()
    assert torch.allclose(still, before * (1 - 0.1 * 0.5))
    assert torch.equal(missing, kept)


def named(**shapes):
    return {name: nn.Parameter(torch.zeros(shape)) for name, shape in shapes.items()}


def test_of_a_plain_network_it_takes_all_but_the_ends():
    shapes = named(
        head=(32, 3, 3, 3), bias=(32,), one=(32, 32, 3, 3), slope=(1, 32, 1, 1), two=(12, 32, 3, 3),
        tail=(12, 12, 3, 3),
    )  # fmt: skip
    assert inner_convolutions(shapes) == {"one", "two"}


def test_it_takes_the_filters_before_pixelshuffle_where_a_convolution_follows():
    shapes = named(tail=(3, 12, 3, 3), up=(48, 12, 3, 3), inner=(12, 12, 3, 3))
    assert inner_convolutions(shapes) == {"up", "inner"}


def test_it_leaves_depthwise_and_narrow_filters_alone():
    shapes = named(
        depthwise=(14, 1, 3, 3), query=(1, 14, 1, 1), squeeze=(8, 2, 1, 1), matrix=(64, 64), norm=(12, 1, 1),
        inner=(4, 4, 1, 1), after=(16, 16, 3, 3),
    )  # fmt: skip
    assert inner_convolutions(shapes) == {"inner", "after"}


def test_every_parameter_is_in_one_part():
    parameters = named(head=(8, 3, 3, 3), inner=(8, 8, 3, 3), bias=(8,), tail=(3, 8, 3, 3))
    muon, adamw = Optimizer(parameters, MuonSpec()).parts
    held = [[p for group in part.param_groups for p in group["params"]] for part in (muon, adamw)]
    assert [p is parameters["inner"] for p in held[0]] == [True]
    assert {id(p) for p in held[1]} == {id(parameters[n]) for n in ("head", "bias", "tail")}


@pytest.mark.parametrize("only", ["inner", "bias"])
def test_a_part_without_parameters_is_left_out(only):
    """GradScaler refuses one that has no gradient."""
    shapes = {"inner": (8, 8, 3, 3), "bias": (8,)}
    assert len(Optimizer(named(**{only: shapes[only]}), MuonSpec()).parts) == 1


@pytest.mark.parametrize("kind", REAL)
def test_of_a_real_network_it_takes_no_convolution_that_reads_or_gives_pictures(kind):
    """Told by running it: the rule sees only shapes."""
    torch.manual_seed(0)
    net = build_network(NETWORK_SPECS[kind](), 2)
    ran = []
    names = {module: name for name, module in net.named_modules()}
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, i, o: ran.append(m))
    net(torch.zeros(1, 3, 32, 32))
    learnt = {n: p for n, p in net.named_parameters() if p.requires_grad}
    taken = inner_convolutions(learnt)
    trained = [m for m in ran if m.weight.requires_grad]
    assert taken
    outer = {names[m] for m in trained if 3 in (m.in_channels, m.out_channels) or m is trained[-1]}
    depthwise = {names[m] for m in trained if m.in_channels == m.groups}
    assert not {name.removesuffix(".weight") for name in taken} & (outer | depthwise)
