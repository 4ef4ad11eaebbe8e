"""Which device a worker has, which jobs it serves."""

from dataclasses import replace

import pytest

from srqueue.errors import UsageError
from srqueue.settings import Settings
from workers import devices
from workers.devices import find_device


@pytest.fixture
def gpus(monkeypatch, tmp_path):
    """Puts an `nvidia-smi` with these GPUs on PATH, and nothing else."""

    def gpus(*names, status=0):
        tool = tmp_path / "nvidia-smi"
        lines = "".join(f"echo '{name}'\n" for name in names)
        tool.write_text(f"#!/bin/sh\n{lines}exit {status}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return gpus


def device(asked="auto"):
    return find_device(Settings(device=asked))


def test_without_a_driver_it_is_the_cpu(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (device().name, device().classes) == ("cpu", ("cpu", "any"))


def test_a_gpu_machine_serves_every_class_and_gives_cpu_jobs_the_cpu(gpus):
    gpus("NVIDIA H200")
    found = device()
    assert (found.name, found.label, found.classes) == ("cuda:0", "NVIDIA H200", ("cuda", "any", "cpu"))
    assert [found.for_job(c) for c in ("any", "cuda", "cpu")] == ["cuda:0", "cuda:0", "cpu"]


def test_a_named_device_serves_only_its_classes(gpus):
    gpus("A", "B")
    assert device("cuda:1").label == "B"
    assert device("cuda").classes == ("cuda", "any")
    assert device("cpu").classes == ("cpu", "any")


def test_several_gpus_are_for_jobs_that_want_them(gpus):
    gpus("A", "B", "C")
    found = device("cuda:1,2,1")
    assert (found.name, found.label) == ("cuda:1", "B + C")
    assert [name for name, _ in found.more_for("any", 8)] == ["cuda:2"]
    assert found.more_for("any", 1) == found.more_for("cpu", 8) == ()
    assert [len(found.cards_for("any", wanted)) for wanted in (1, 2, 8)] == [1, 2, 2]
    assert found.cards_for("cpu", 8) == ()
    assert {found.lock_for("any")} | {lock for _, lock in found.more} == {
        gpu.lock_file for gpu in devices.find_gpus()[1:]
    }
    with pytest.raises(UsageError, match="slots are of one GPU"):
        find_device(Settings(device="cuda:0,1", slots=2))


@pytest.mark.parametrize("asked", ["cuda:2", "cuda:7", "cuda:0,2"])
def test_a_gpu_that_is_not_there_is_an_error(gpus, asked):
    gpus("A", "B")
    with pytest.raises(UsageError, match="nvidia-smi names cuda:0 to cuda:1"):
        device(asked)


@pytest.mark.parametrize("asked", ["gpu", "cpu:0", "cuda:x", "", "cuda:0\n"])
def test_a_word_that_is_no_device_is_an_error(asked):
    with pytest.raises(UsageError, match="there is no device"):
        device(asked)


def test_a_broken_driver_is_no_gpu(gpus):
    gpus("A", status=9)
    assert device().name == "cpu"


@pytest.mark.parametrize(
    ("listed", "label"), [("1", "B"), ("1,0", "B"), ("", "cpu"), ("-1", "cpu"), ("GPU-x", "GPU-x")]
)
def test_hidden_gpus_are_not_used(gpus, monkeypatch, listed, label):
    gpus("A", "B")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    assert device().label == label


def test_threads_are_one_on_the_cpu_and_four_beside_a_gpu_unless_set(gpus):
    gpus("A")
    found = device()
    assert (found.threads(Settings(), "cpu"), found.threads(Settings(), "cuda:0")) == (1, 4)
    assert found.threads(Settings(threads=3), "cpu") == 3


def test_slots_share_the_cores_and_say_so(gpus, monkeypatch):
    gpus("A")
    monkeypatch.setattr(devices, "cores", lambda: 6)
    found = find_device(Settings(slots=3))
    assert (found.label, found.slots) == ("A, 3 slots", 3)
    assert (found.threads(Settings(), "cpu"), found.threads(Settings(), "cuda:0")) == (1, 2)
    assert found.threads(Settings(threads=1), "cuda:0") == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [({"slots": 7}, "7 slots are"), ({"slots": 2, "threads": 4}, "2 slots of 4 threads are")],
)
def test_more_slots_than_the_cores_allow_are_refused(gpus, monkeypatch, given, told):
    gpus()
    monkeypatch.setattr(devices, "cores", lambda: 6)
    with pytest.raises(UsageError, match=f"{told} more than the 6 cores here"):
        find_device(Settings(**given))


def test_a_gpu_is_offered_with_what_it_has_and_slots_share_it(gpus):
    gpus("Tesla T4, 16384, 7.5, GPU-a", "NVIDIA A100, 40960, 8.0, GPU-b")
    settings = Settings(device="cuda:1", labels="room=1,gpu=a100", slots=2, threads=1)
    offer = replace(find_device(Settings(device="cuda:1")), slots=2).offer(settings)
    assert (offer.memory, offer.gpus, offer.capability, offer.model) == (20480 << 20, 1, 80, "NVIDIA A100")
    assert offer.features == ("bf16", "fp16", "tensor-cores", "tf32")
    assert offer.labels == ("gpu=a100", "room=1")
    both = device("cuda:0,1").offer(Settings())
    assert (both.memory, both.gpus, both.capability) == (16384 << 20, 2, 75)
    assert both.features == ("fp16", "tensor-cores") and both.model == "Tesla T4 + NVIDIA A100"


def test_a_cpu_offers_no_gpu(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    offer = device().offer(Settings())
    assert (offer.memory, offer.gpus, offer.capability, bool(offer.model)) == (0, 0, 0, True)
    assert set(offer.features) <= {"bf16"}
