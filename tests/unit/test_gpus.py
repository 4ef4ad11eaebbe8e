"""What nvidia-smi says of the GPUs."""

import pytest

from srqueue.gpus import Gpu, find_gpu, find_gpus, gpu_names


@pytest.fixture
def smi(monkeypatch, tmp_path):
    """Puts an `nvidia-smi` with this script on PATH, and nothing else."""

    def smi(script):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return smi


def test_memory_and_capability_are_read(smi):
    smi("echo 'NVIDIA H200, 143771, 9.0'; echo 'NVIDIA GeForce RTX 3070, 8192, 8.6'")
    assert find_gpus() == [
        Gpu("NVIDIA H200", 143771, (9, 0)), Gpu("NVIDIA GeForce RTX 3070", 8192, (8, 6))
    ]  # fmt: skip
    assert [gpu.label for gpu in find_gpus()] == ["NVIDIA H200, 140 GiB", "NVIDIA GeForce RTX 3070, 8 GiB"]


def test_an_old_driver_that_knows_only_names_is_asked_for_them(smi):
    smi('case "$1" in *compute_cap*) exit 2;; esac; echo "Tesla K80"')
    assert find_gpus() == [Gpu("Tesla K80")]
    assert find_gpus()[0].label == "Tesla K80"


def test_what_is_not_available_stays_unknown(smi):
    smi("echo 'NVIDIA GH200, [N/A], [N/A]'")
    assert find_gpus() == [Gpu("NVIDIA GH200", 0, None)]


def test_hidden_gpus_are_left_out(smi, monkeypatch):
    smi("echo 'A, 1024, 7.5'; echo 'B, 2048, 8.0'")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert find_gpus() == [Gpu("B", 2048, (8, 0))]
    assert gpu_names() == ["B"]


@pytest.mark.parametrize(
    ("device", "name"), [("auto", "A"), ("cuda", "A"), ("cuda:1", "B"), ("cuda:2", None), ("cpu", None)]
)
def test_the_setting_names_one_of_them(smi, device, name):
    smi("echo 'A, 1024, 7.5'; echo 'B, 2048, 8.0'")
    found = find_gpu(device)
    assert (found and found.name) == name
