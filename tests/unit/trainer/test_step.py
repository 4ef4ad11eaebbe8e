"""One step: its gradient is the batch's, however it is split; its losses stay on the device."""

import copy
import shutil

import pytest
import torch

from srqueue.errors import UsageError
from workers.trainer.archs import build_network
from workers.trainer.loss_book import LossBook
from workers.trainer.losses.weighted import WeightedLosses
from workers.trainer.step import Step

LOSSES = [
    {"type": "l1"},
    {"type": "ssim", "loss_weight": 0.3},
    {"type": "charbonnier", "loss_weight": 0.5},
    {"type": "fft", "loss_weight": 0.2},
]


@pytest.fixture
def new_step(tiny_spec):
    """Makes a Step for `tiny_spec` with a network of a fixed start."""

    def make(tell=None, dtype=torch.float32, **compute):
        train = {"total_iter": 10, "losses": LOSSES}
        spec = tiny_spec(None, 10, train=train, compute={"precision": "fp32", **compute})
        torch.manual_seed(3)
        net = build_network(spec.network_g, 2).to(dtype)
        net = net.to(memory_format=torch.channels_last)
        losses = WeightedLosses(spec.train.losses).to(dtype)
        return Step(net, losses, spec, torch.device("cpu"), tell or (lambda action: None)), net

    return make


def batch(count, dtype=torch.float32):
    generator = torch.Generator().manual_seed(5)
    hr = torch.rand(count, 3, 32, 32, generator=generator, dtype=dtype)
    lr = torch.nn.functional.avg_pool2d(hr, 2)
    return (t.contiguous(memory_format=torch.channels_last) for t in (lr, hr))


def gradients(net):
    return {name: p.grad.clone() for name, p in net.named_parameters()}


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("micro_batch", [1, 2, 3, 5, 7, 64])
def test_the_gradient_of_micro_batches_is_the_batchs(new_step, micro_batch, dtype, close):
    """Seven crops: the last micro-batch is smaller, and counts by its share. To rounding, by the largest."""
    whole, net = new_step(dtype=dtype, micro_batch=7)
    lr, hr = batch(7, dtype)
    values = whole.gradients(lr, hr, len(lr), lambda loss: loss)
    loss = sum(w * f(net(lr), hr) for w, f in zip(whole.losses.weights, whole.losses.losses, strict=True))
    expected = dict(
        zip(dict(net.named_parameters()), torch.autograd.grad(loss, net.parameters()), strict=True)
    )
    split, other = new_step(dtype=dtype, micro_batch=micro_batch)
    found_values = split.gradients(lr, hr, len(lr), lambda loss: loss)
    assert torch.allclose(found_values, values, rtol=close, atol=close)
    for name, gradient in gradients(other).items():
        assert (gradient - expected[name]).abs().max() <= close * expected[name].abs().max(), name


def test_slices_keep_the_memory_layout(new_step):
    step, _ = new_step(micro_batch=2)
    for x, y, _ in step._micro_batches(*batch(5), 5):
        assert x.is_contiguous(memory_format=torch.channels_last)
        assert y.is_contiguous(memory_format=torch.channels_last)


def test_the_share_of_each_loss_in_the_gradient(new_step):
    """Against autograd on the whole batch at once, in float64."""
    step, net = new_step(dtype=torch.float64, micro_batch=2)
    lr, hr = batch(5, torch.float64)
    found = step.loss_gradients(lr, hr)
    sr = net(lr).detach().requires_grad_()
    expected = [torch.autograd.grad(loss(sr, hr), sr)[0].norm().item() for loss in step.losses.losses]
    assert found == pytest.approx(expected, rel=1e-6)
    assert all(p.grad is None for p in net.parameters())


def test_nothing_of_a_try_that_did_not_fit_is_left(new_step):
    told = []
    step, net = new_step(told.append, micro_batch=4)
    small, other = new_step(micro_batch=2)
    real = step._forward

    def forward(x):
        forward.calls += 1
        if forward.calls == 2:
            raise torch.OutOfMemoryError("no more\ndetails")
        return real(x)

    forward.calls = 0
    step._forward = forward
    lr, hr = batch(8)
    assert torch.equal(step(lr, hr, 1e-3), small(lr, hr, 1e-3))
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))
    assert [(a.by, a.reason) for a in told] == [("MicroBatch", "no more")]


def test_a_single_crop_that_does_not_fit_is_an_error(new_step):
    step, _ = new_step(micro_batch=1)

    def forward(x):
        raise torch.OutOfMemoryError("no more")

    step._forward = forward
    with pytest.raises(torch.OutOfMemoryError):
        step(*batch(4), 1e-3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler here")
def test_a_compiled_network_keeps_the_names_and_the_results(new_step):
    compiled, net = new_step(compile=True)
    plain, other = new_step(compile=False)
    names = set(other.state_dict())
    lr, hr = batch(4)
    assert torch.allclose(compiled(lr, hr, 1e-3), plain(lr, hr, 1e-3), atol=1e-5)
    assert set(net.state_dict()) == names
    for name, weight in net.state_dict().items():
        assert torch.allclose(weight, other.state_dict()[name], atol=2e-3), name


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_a_compiler_that_is_not_there_is_told_as_what_it_is(new_step, monkeypatch):
    inductor = pytest.importorskip("torch._inductor.config")
    torch._dynamo.reset()
    monkeypatch.setattr(inductor.cpp, "cxx", ("/nowhere/c++",))
    monkeypatch.setattr(inductor, "force_disable_caches", True)
    step, _ = new_step(compile=True)
    with pytest.raises(UsageError, match="cannot be compiled here"):
        step(*batch(4), 1e-3)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_its_state_goes_on_bit_for_bit(new_step, precision):
    from workers.trainer.checkpoint import join, split
    from workers.trainer.state import RunState

    step, net = new_step(precision=precision, micro_batch=3)
    lr, hr = batch(4)
    step(lr, hr, 1e-3)
    state = RunState()
    step.write(state)
    saved = {name: t.clone() for name, t in join(step.tensors()).items()}
    other, twin = new_step(precision=precision)
    twin.load_state_dict(copy.deepcopy(net.state_dict()))
    other.load(split(saved), RunState.from_json(state.to_json()))
    assert other.micro_batch == 3
    for one in (step, other):
        one(lr, hr, 1e-3)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), twin.parameters(), strict=True))


def test_a_book_of_losses_does_not_depend_on_when_it_is_read():
    rows = torch.rand(23, 2, generator=torch.Generator().manual_seed(1))
    seen = {}
    for every in (1, 4, 23):
        told = []
        book = LossBook((1.0, 0.05), told.append, (0.125, 1))
        for i, row in enumerate(rows, 1):
            book.add(row)
            if i % every == 0:
                book.read()
        mean = book.train_loss()
        seen[every] = (told, mean, list(book.since_validation))
    assert seen[1] == seen[4] == seen[23]
    expected = (0.125 + (rows.double() @ torch.tensor([1.0, 0.05]).double()).sum().item()) / 24
    assert mean == pytest.approx(expected, rel=1e-9)
    assert book.unreported == 23
    assert book.report() == (pytest.approx(rows.double().mean(0).tolist()), 23)
    assert book.unreported == 0
    book.validated()
    assert book.since_validation == [0.0, 0]
