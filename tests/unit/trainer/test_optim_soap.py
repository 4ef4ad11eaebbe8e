"""SOAP against its algorithm, written down again in float64, and against what it is for."""

import numpy as np
import pytest
import torch
from torch import nn

from srqueue.spec.optimizers import SoapSpec
from workers.trainer.optim.optimizer import Optimizer
from workers.trainer.optim.soap import EARLY, LARGEST_SIDE, MATRICES, Soap

SPEC = SoapSpec(lr=1e-2, weight_decay=0.1, betas=(0.9, 0.98), covariance_beta=0.9, refresh=5)


class Reference:
    """Algorithm 3 of Vyas et al. (2024) for one matrix, in numpy."""

    def __init__(self, spec, w):
        self.spec, self.w, self.t = spec, w, -1

    def step(self, g, rate):
        spec, (b1, b2), c = self.spec, self.spec.betas, self.spec.covariance_beta
        self.t += 1
        if self.t == 0:
            self.m, self.v = np.zeros_like(g), np.zeros_like(g)
            self.left, self.right = g @ g.T, g.T @ g
            self.ql, self.qr = (np.linalg.eigh(x)[1][:, ::-1] for x in (self.left, self.right))
            return
        self.left, self.right = c * self.left + (1 - c) * g @ g.T, c * self.right + (1 - c) * g.T @ g
        self.m = b1 * self.m + (1 - b1) * g
        self.v = b2 * self.v + (1 - b2) * (self.ql.T @ g @ self.qr) ** 2
        mean = self.ql.T @ self.m @ self.qr / (1 - b1**self.t)
        turned = mean / (np.sqrt(self.v / (1 - b2**self.t)) + 1e-8)
        self.w = self.w * (1 - rate * spec.weight_decay) - rate * self.ql @ turned @ self.qr.T
        if self.t % spec.refresh == 0 or self.t in EARLY:
            self.ql, order = self.turned(self.left, self.ql)
            self.v = self.v[order]
            self.qr, order = self.turned(self.right, self.qr)
            self.v = self.v[:, order]

    @staticmethod
    def turned(covariance, basis):
        moved = covariance @ basis
        order = np.argsort(-np.einsum("ij,ij->j", basis, moved), kind="stable")
        return np.linalg.qr(moved[:, order])[0], order


def test_it_is_the_papers_algorithm():
    """A square matrix: its first gradient has full rank, so that no direction of the basis is arbitrary."""
    draw = np.random.default_rng(0)
    weight = nn.Parameter(torch.from_numpy(draw.normal(size=(6, 6, 1, 1))))
    reference = Reference(SPEC, weight.detach().numpy().reshape(6, 6).copy())
    optimizer = Optimizer({"w": weight}, SPEC)
    for i in range(40):
        gradient, rate = draw.normal(size=(6, 6)) * np.arange(1, 7), 1e-2 * (1 + i % 3)
        weight.grad = torch.from_numpy(gradient.reshape(6, 6, 1, 1))
        optimizer.step(rate)
        reference.step(gradient, rate)
    np.testing.assert_allclose(weight.detach().numpy().reshape(6, 6), reference.w, rtol=1e-8, atol=1e-10)


def error_after(make, steps=150):
    """Of a linear map learnt from inputs that are strongly correlated: a rotated, ill-conditioned bowl."""
    torch.manual_seed(0)
    q = torch.linalg.qr(torch.randn(12, 12))[0]
    spread = q @ torch.diag(torch.logspace(0, -2, 12)) @ q.T
    target = torch.randn(8, 12)
    weight = nn.Parameter(torch.zeros(8, 12, 1, 1))
    optimizer = make(weight)
    for i in range(steps):
        ((weight.flatten(1) - target) @ spread).square().mean().backward()
        optimizer.step(0.05 * (1 - i / steps))
    return ((weight.detach().flatten(1) - target) @ spread).square().mean().item()


def test_it_sees_through_correlated_inputs():
    """Where AdamW, which looks at each weight alone, is still far off."""
    from srqueue.spec.optimizers import AdamWSpec

    soap = error_after(lambda w: Optimizer({"w": w}, SoapSpec(weight_decay=0, refresh=5)))
    adamw = error_after(lambda w: Optimizer({"w": w}, AdamWSpec(weight_decay=0)))
    assert soap < adamw / 3


def test_only_convolutions_over_channels_are_turned():
    net = nn.ModuleDict(
        {
            "inner": nn.Conv2d(4, 6, 3),
            "depthwise": nn.Conv2d(6, 6, 3, groups=6),
            "one": nn.Conv2d(6, 1, 1),
        }
    )
    optimizer = Optimizer(dict(net.named_parameters()), SoapSpec())
    net["one"](net["depthwise"](net["inner"](torch.ones(1, 4, 8, 8)))).sum().backward()
    optimizer.step(1e-3)
    turned = {name.partition("/")[2] for name in optimizer.state_dict() if name.startswith(MATRICES)}
    assert turned == {"inner.weight"}


def test_the_rest_steps_at_its_share_of_the_rate():
    bias = nn.Parameter(torch.zeros(3))
    optimizer = Optimizer({"b": bias}, SoapSpec(adamw_factor=0.25))
    bias.grad = torch.ones(3)
    optimizer.step(0.4)
    assert bias.detach().tolist() == pytest.approx([-0.1] * 3, rel=1e-4)


def test_a_side_that_is_too_large_keeps_its_own_basis():
    weight = nn.Parameter(torch.randn(2, LARGEST_SIDE + 1, 1, 1))
    optimizer = Soap([weight], 1e-2, (0.9, 0.99), 0.9, 5)
    for _ in range(3):
        weight.grad = torch.randn_like(weight)
        optimizer.step()
    state = optimizer.state[weight]
    assert "row_basis" in state and "column_basis" not in state
    assert torch.isfinite(weight).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("shape", [(4, 5, 1, 1), (2, LARGEST_SIDE + 1, 1, 1)])
def test_a_first_gradient_that_is_not_finite_is_waited_out(bad, shape):
    """The square of 1e30 is infinite in float32. What follows is as if it had never been."""
    torch.manual_seed(1)
    weight = nn.Parameter(torch.randn(shape))
    twin = nn.Parameter(weight.detach().clone())
    optimizer, other = Optimizer({"w": weight}, SPEC), Optimizer({"w": twin}, SPEC)
    weight.grad = torch.randn(shape)
    weight.grad[1, 2] = bad
    optimizer.step(1e-2)
    assert torch.equal(weight, twin)
    assert optimizer.state_dict() == {}
    for _ in range(8):
        weight.grad = torch.randn(shape)
        twin.grad = weight.grad.clone()
        optimizer.step(1e-2)
        other.step(1e-2)
    assert torch.equal(weight, twin)
    assert torch.isfinite(weight).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
def test_a_later_gradient_that_is_not_finite_is_for_the_guard(bad):
    """It spoils the weights, which the guard looks at; refreshing the basis does not raise."""
    weight = nn.Parameter(torch.randn(4, 5, 1, 1))
    optimizer = Optimizer({"w": weight}, SPEC)
    for i in range(12):
        weight.grad = torch.randn_like(weight)
        if i == 3:
            weight.grad[1, 2] = bad
        optimizer.step(1e-2)
    assert not torch.isfinite(weight).all()


def test_a_loaded_count_of_steps_stays_on_the_host():
    """It is read at every step: on the device each of them would wait. The rest goes where the weight is."""
    weight = nn.Parameter(torch.randn(4, 5, 1, 1))
    bias = nn.Parameter(torch.randn(4))
    optimizer = Optimizer({"w": weight, "b": bias}, SPEC)
    for parameter in (weight, bias):
        parameter.grad = torch.randn_like(parameter)
    optimizer.step(1e-2)
    fresh = optimizer.parts[0].state[weight]
    elsewhere = {name: nn.Parameter(p.detach().to("meta")) for name, p in (("w", weight), ("b", bias))}
    other = Optimizer(elsewhere, SPEC)
    other.load_state_dict(optimizer.state_dict())
    loaded = other.parts[0].state[elsewhere["w"]]
    assert loaded.keys() == fresh.keys()
    assert loaded["step"].device == fresh["step"].device == torch.device("cpu")
    assert loaded["step"] is not fresh["step"]
    assert {t.device.type for name, t in loaded.items() if name != "step"} == {"meta"}
    assert other.parts[1].state[elsewhere["b"]]["step"].device.type == "meta"  # a fused AdamW's
