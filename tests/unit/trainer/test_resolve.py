"""Deciding `auto`, once."""

import json
import subprocess
import sys

import pytest
import torch

from srqueue.errors import SpecError, UsageError
from srqueue.run.folder import RunDir
from srqueue.spec.job import ComputeSpec
from tests.conftest import ROOT
from workers.trainer.fingerprint import arithmetic_of, changes, fingerprint
from workers.trainer.resolve import Machine, decide, prepare_torch, read_spec, resolve, this_machine

PLAIN = Machine(torch.device("cpu"), has_bf16=False, threads=0)
MODERN = Machine(torch.device("cpu"), has_bf16=True, threads=0)
GPU = Machine(torch.device("cuda", 0), has_bf16=True, threads=0)


@pytest.mark.parametrize(
    ("asked", "machine", "expected"),
    [
        ({}, PLAIN, ("cpu", "fp32", True, 1)),
        ({}, MODERN, ("cpu", "bf16", True, 1)),
        ({}, GPU, ("cuda", "bf16", True, 4)),
        ({}, Machine(torch.device("cpu"), False, 3), ("cpu", "fp32", True, 3)),
        ({"precision": "fp32", "channels_last": False, "threads": 2}, MODERN, ("cpu", "fp32", False, 2)),
        ({"precision": "bf16"}, PLAIN, ("cpu", "bf16", True, 1)),
    ],
)
def test_every_auto_becomes_a_value_and_what_was_asked_for_stays(asked, machine, expected):
    decided = decide(ComputeSpec(**asked), machine, batch_size=8)
    assert (decided.device, decided.precision, decided.channels_last, decided.threads) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [({}, (8, False)), ({"micro_batch": 3, "compile": True}, (3, True)), ({"micro_batch": 64}, (64, False))],
)
def test_a_micro_batch_is_a_batch_and_nothing_is_compiled_unless_asked(asked, expected):
    decided = decide(ComputeSpec(**asked), PLAIN, batch_size=8)
    assert (decided.micro_batch, decided.compile) == expected


@pytest.fixture
def spec(tiny_spec):
    return tiny_spec(None, 10, compute={})


def test_later_attempts_use_what_the_first_decided(tmp_path, spec):
    run = RunDir(tmp_path / "job").create()
    first = resolve(run, spec, PLAIN)
    assert first.now
    later = resolve(run, spec, MODERN)
    assert (later.spec, later.now) == (first.spec, False)
    assert read_spec(run.resolved_file) == first.spec


def test_of_what_was_decided_elsewhere_nothing_else_is_taken(tmp_path, spec):
    run = RunDir(tmp_path / "job").create()
    first = resolve(run, spec, PLAIN).spec
    stranger = first.model_dump(mode="json")
    stranger["path"]["pretrain_network_g"] = "/home/other/secret.safetensors"
    stranger["compute"] |= {"mode": "fast", "devices": 8}
    run.resolved_file.write_text(json.dumps(stranger))
    assert resolve(run, spec, PLAIN).spec == first == read_spec(run.resolved_file)


def test_another_kind_of_device_is_decided_for_again(tmp_path, spec):
    run = RunDir(tmp_path / "job").create()
    resolve(run, spec, PLAIN)
    again = resolve(run, spec, GPU)
    assert again.now
    assert (again.spec.compute.device, again.spec.compute.precision) == ("cuda", "bf16")


@pytest.mark.parametrize(
    ("asked", "given", "message"),
    [
        ("auto", "cuda:99", "not here"),
        ("auto", "abacus", "unknown device"),
        ("cuda", "cpu", "the spec wants cuda"),
    ],
)
def test_a_device_that_cannot_be_had_is_said(asked, given, message):
    with pytest.raises(UsageError, match=message):
        this_machine(ComputeSpec(device=asked), {"device": given})


def test_the_cpu_of_this_machine_is_found():
    machine = this_machine(ComputeSpec(device="cpu"), {"device": "auto", "threads": 2})
    assert (machine.kind, machine.threads) == ("cpu", 2)


def test_a_broken_spec_names_the_place(tmp_path, spec):
    file = tmp_path / "spec.json"
    file.write_text(spec.model_dump_json().replace('"total_iter":10', '"total_iter":-1'))
    with pytest.raises(SpecError, match=r"train\.total_iter"):
        read_spec(file)
    with pytest.raises(SpecError, match="cannot read"):
        read_spec(tmp_path / "none.json")


@pytest.fixture
def torch_as_it_was():
    """The switches of the process are set back."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.deterministic = torch.backends.cudnn.benchmark = False


def test_what_is_below_the_normal_numbers_is_zero_in_all_threads_and_that_is_told(torch_as_it_was):
    # In a process of its own: threads that are there already keep their ways.
    code = """if True:
    import torch
    from srqueue.spec.job import ComputeSpec
    from workers.trainer.resolve import Machine, decide, prepare_torch
    prepare_torch(decide(ComputeSpec(threads=2), Machine(torch.device("cpu"), False, 0), 8))
    tiny = torch.full((1 << 16,), 1e-20)
    assert torch.get_num_threads() == 2 and not (tiny * tiny).any(), "1e-40 in float32"
    """
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)
    compute = decide(ComputeSpec(), PLAIN, 8)
    before = fingerprint(compute, PLAIN.device)
    prepare_torch(compute)
    now = fingerprint(compute, PLAIN.device)
    assert changes(before, now)["denormals"] == ["kept", "flushed"]
    earlier = {key: mark for key, mark in before.items() if key != "denormals"}
    assert changes(earlier, now)["denormals"] == ["kept", "flushed"], "a version that did not say kept them"


def test_a_fingerprint_tells_what_changed():
    compute = decide(ComputeSpec(), PLAIN, 8)
    before = fingerprint(compute, PLAIN.device)
    assert {"torch", "device", "precision", "channels_last", "threads"} <= before.keys()
    assert changes(before, before) == {}
    after = fingerprint(compute.model_copy(update={"threads": 2}), PLAIN.device)
    assert changes(before, after) == {"threads": [1, 2]}


def test_a_mark_that_an_earlier_version_did_not_take_is_no_change():
    now = fingerprint(decide(ComputeSpec(), PLAIN, 8), PLAIN.device)
    before = {key: mark for key, mark in now.items() if key not in ("micro_batch", "compile")}
    assert changes(before, now) == {}
    assert changes({**now, "micro_batch": 4}, now) == {"micro_batch": [4, 8]}


def test_the_first_version_took_no_mark_of_its_order_of_computing():
    now = fingerprint(decide(ComputeSpec(), PLAIN, 8), PLAIN.device)
    before = {key: mark for key, mark in now.items() if key != "arithmetic"}
    assert changes(before, now) == {}
    with_ssim = fingerprint(decide(ComputeSpec(), PLAIN, 8), PLAIN.device, arithmetic=2)
    assert changes(before, with_ssim) == {"arithmetic": [1, 2]}


def test_only_what_is_computed_in_another_order_counts(tiny_spec):
    for losses, number in (([{"type": "l1"}], 1), ([{"type": "l1"}, {"type": "ssim"}], 2)):
        assert arithmetic_of(tiny_spec(None, 10, train={"total_iter": 10, "losses": losses})) == number
