"""A step on CUDA waits for nothing; the fast mode trains; measured levers; two GPUs share a batch."""

import pytest
import torch

from srqueue.spec.expand import DatasetRef, expand
from srqueue.spec.job import ComputeSpec
from workers.trainer.levers import choose
from workers.trainer.resolve import Machine, decide, prepare_torch
from workers.trainer.trial import Trial

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here; run: make gpu-check"),
]

CUDA = torch.device("cuda", 0)


def resolved(architecture="compact", preset="convenience", total=100, **compute):
    changes = {
        "compute": compute,
        "datasets": {"train": {"lq_size": 32, "batch_size": 4}},
        "train": {"total_iter": total, "warmup_iter": 1},
    }
    overrides = [("test", changes)]
    spec = expand(DatasetRef("none"), preset=preset, architecture=architecture, overrides=overrides).spec
    machine = Machine(CUDA, torch.cuda.is_bf16_supported(including_emulation=False), 1)
    return spec.model_copy(update={"compute": decide(spec.compute, machine, 4)})


@pytest.fixture
def torch_as_before():
    before = torch.are_deterministic_algorithms_enabled()
    yield
    prepare_torch(resolved().compute)
    torch.use_deterministic_algorithms(before)


@pytest.mark.parametrize("preset", ["convenience", "tuned"])
def test_a_step_waits_for_nothing(torch_as_before, preset):
    spec = resolved(preset=preset)
    prepare_torch(spec.compute)
    trial = Trial(spec, CUDA)
    trial.steps(25, 60, least=25)  # SOAP makes its bases anew every twenty steps
    torch.cuda.set_sync_debug_mode("error")
    try:
        trial._done += 1
        trial.step(trial._lr, trial._hr, 1e-4)
        trial.ema.update(trial._done)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("architecture", ["compact", "paragonsr2_nano"])
def test_the_fast_mode_trains_to_about_the_same(torch_as_before, architecture):
    found = []
    for compute in ({"precision": "fp32"}, {"precision": "fp32", "mode": "fast", "compile": True}):
        spec = resolved(architecture, **compute)
        prepare_torch(spec.compute)
        trial = Trial(spec, CUDA)
        trial.steps(10, 300, least=10)
        found.append(torch.cat([p.detach().flatten() for p in trial.net.parameters()]))
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-3)


def test_levers_are_measured_on_the_device(torch_as_before, tmp_path, monkeypatch):
    monkeypatch.setattr("workers.trainer.levers.WORTH", 0.0)
    spec = resolved(total=100_000, mode="fast")
    prepare_torch(spec.compute)
    asked = ComputeSpec(mode="fast")
    compute, told = choose(spec, asked, CUDA, tmp_path / "levers.json", lambda: False)
    assert "milliseconds a step" in told
    assert compute.precision in ("fp32", "bf16")
