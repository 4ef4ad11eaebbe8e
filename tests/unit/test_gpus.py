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


@pytest.mark.parametrize("listed", ["GPU-8b2c41d0-0000-0000-0000-000000000002", "GPU-8b"])
def test_one_that_is_listed_by_its_uuid_is_the_one_that_nvidia_smi_tells_of(smi, monkeypatch, listed):
    """Else a worker there would offer no memory and no bf16, and be another model than its trainer says."""
    smi(
        "echo 'A, 1024, 7.5, GPU-1f05e1a7-0000-0000-0000-000000000001'\n"
        "echo 'B, 2048, 8.0, GPU-8b2c41d0-0000-0000-0000-000000000002'"
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    assert find_gpus() == [Gpu("B", 2048, (8, 0), "GPU-8b2c41d0-0000-0000-0000-000000000002")]


@pytest.mark.parametrize(
    ("device", "name"), [("auto", "A"), ("cuda", "A"), ("cuda:1", "B"), ("cuda:2", None), ("cpu", None)]
)
def test_the_setting_names_one_of_them(smi, device, name):
    smi("echo 'A, 1024, 7.5'; echo 'B, 2048, 8.0'")
    found = find_gpu(device)
    assert (found and found.name) == name
