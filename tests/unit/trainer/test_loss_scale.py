"""The loss scale of fp16 with optimizers of several parts: all of them step, or none."""

import pytest
import torch

from workers.trainer.archs import build_network
from workers.trainer.losses.weighted import WeightedLosses
from workers.trainer.step import Step

SEVERAL = ("SOAP", "Muon")


@pytest.fixture
def new_step(tiny_spec):
    """An fp16 Step, its network, and the names of what the second part (AdamW) trains."""

    def make(optimizer, clip):
        train = {"total_iter": 10, "optim_g": {"type": optimizer, "lr": 1e-2}, "grad_clip": clip}
        spec = tiny_spec(None, 10, train=train, compute={"precision": "fp16", "device": "cpu"})
        torch.manual_seed(3)
        net = build_network(spec.network_g, 2)
        step = Step(net, WeightedLosses(spec.train.losses), spec, torch.device("cpu"), lambda action: None)
        assert len(step.optimizer.parts) == 2
        rest = {id(p) for group in step.optimizer.parts[1].param_groups for p in group["params"]}
        return step, net, {name: id(p) in rest for name, p in net.named_parameters()}

    return make


def batch():
    hr = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    return torch.nn.functional.avg_pool2d(hr, 2), hr


def contents(step, net):
    return {name: t.clone() for name, t in (net.state_dict() | step.optimizer.state_dict()).items()}


@pytest.mark.parametrize("optimizer", SEVERAL)
@pytest.mark.parametrize("clip", [0.0, 0.1])
@pytest.mark.parametrize("in_rest", [False, True])
def test_an_infinity_in_one_part_stops_all(new_step, optimizer, clip, in_rest):
    step, net, rest = new_step(optimizer, clip)
    for _ in range(3):
        step(*batch(), 1e-3)
    before, scale = contents(step, net), step.scaler.get_scale()
    name = next(name for name, of_rest in rest.items() if of_rest == in_rest)
    spoilt = net.get_parameter(name).register_hook(lambda gradient: gradient * float("inf"))
    step(*batch(), 1e-3)
    after = contents(step, net)
    assert after.keys() == before.keys()
    assert [name for name in before if not torch.equal(after[name], before[name])] == []
    assert step.scaler.get_scale() == scale / 2

    spoilt.remove()
    step(*batch(), 1e-3)
    moved = {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    assert {rest[name] for name in moved} == {False, True}
    assert step.scaler.get_scale() == scale / 2
