"""Where memory does not suffice within a step: what is done again, and what ends the run."""

import pytest
import torch

from workers.trainer.archs import build_network
from workers.trainer.losses.weighted import WeightedLosses
from workers.trainer.memory import out_of_memory
from workers.trainer.step import Step

LOSSES = [{"type": "l1"}, {"type": "l2", "loss_weight": 0.5}]


def too_much():
    """What torch really says of too much on the CPU."""
    torch.empty(2**55, dtype=torch.float32)


def too_much_on_the_device():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 MiB\nmore")


both = pytest.mark.parametrize("fail", [too_much, too_much_on_the_device])


@pytest.fixture
def new_step(tiny_spec):
    """A Step of which each loss fails beyond `crops` at once, and what it tells."""

    def make(fail, crops, micro_batch):
        spec = tiny_spec(
            None, 10, train={"total_iter": 10, "losses": LOSSES},
            compute={"precision": "fp32", "micro_batch": micro_batch},
        )  # fmt: skip
        torch.manual_seed(3)
        net, told = build_network(spec.network_g, 2), []
        step = Step(net, WeightedLosses(spec.train.losses), spec, torch.device("cpu"), told.append)
        for loss in step.losses.losses:
            loss.register_forward_pre_hook(lambda _, given: fail() if len(given[0]) > crops else None)
        return step, net, told

    return make


def batch(count=8):
    hr = torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    return torch.nn.functional.avg_pool2d(hr, 2), hr


@both
def test_a_step_is_done_again_with_fewer_crops_at_once(new_step, fail):
    (step, net, told), (small, other, _) = new_step(fail, 2, 8), new_step(fail, 2, 2)
    assert torch.equal(step(*batch(), 1e-3), small(*batch(), 1e-3))
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))
    assert [action.did.split(";")[0] for action in told] == [
        "halved the micro-batch from 8 to 4",
        "halved the micro-batch from 4 to 2",
    ]


@both
def test_so_is_a_measurement_of_the_losses(new_step, fail):
    (step, net, told), (small, _, _) = new_step(fail, 2, 8), new_step(fail, 2, 2)
    assert step.loss_gradients(*batch()) == small.loss_gradients(*batch())
    assert step.micro_batch == 2
    assert len(told) == 2
    assert all(p.grad is None for p in net.parameters())


@both
def test_a_single_crop_that_does_not_fit_ends_it(new_step, fail):
    step, _, _ = new_step(fail, 0, 1)
    with pytest.raises(torch.OutOfMemoryError):
        step(*batch(), 1e-3)
    with pytest.raises(torch.OutOfMemoryError):
        step.loss_gradients(*batch())


@both
def test_too_little_for_the_optimizers_state_is_told_as_what_it_is(new_step, fail, monkeypatch):
    """Nothing is done again: part of the weights may have moved."""
    step, _, told = new_step(fail, 8, 8)
    monkeypatch.setattr(step.optimizer.parts[0], "step", fail)
    with pytest.raises(torch.OutOfMemoryError, match=r"state of the optimizer .*: take a smaller network_g"):
        step(*batch(), 1e-3)
    assert told == []


def test_other_errors_stay_what_they_are(new_step):
    def fail():
        raise RuntimeError("shapes do not fit")

    step, _, told = new_step(fail, 0, 8)
    with pytest.raises(RuntimeError, match="shapes") as caught:
        step(*batch(), 1e-3)
    assert not out_of_memory(caught.value)
    assert told == []
