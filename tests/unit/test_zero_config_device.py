"""What the GPU of this machine decides in a zero-config, and that the user still has the last word."""

import pytest

from srqueue.gpus import Gpu
from srqueue.spec.derive import PictureStats
from srqueue.spec.expand import DatasetRef, expand
from srqueue.zero_config import device_layers


def compute(gpu, cores=16, *more):
    found = expand(DatasetRef("photos"), overrides=[*device_layers(gpu, cores), *more])
    return found.spec.compute, found.origins


@pytest.mark.parametrize(
    ("capability", "precision"),
    [((9, 0), "bf16"), ((8, 6), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16"), ((7, 0), "fp16"),
     ((6, 1), "fp32")],
)  # fmt: skip
def test_the_chip_decides_the_precision(capability, precision):
    found, origins = compute(Gpu("Card", 8192, capability))
    assert found.precision == precision
    assert (
        origins["compute.precision"] == f"derived: Card, compute capability {capability[0]}.{capability[1]}"
    )


@pytest.mark.parametrize(("cores", "threads"), [(16, 4), (2, 2), (1, 1)])
def test_threads_are_no_more_than_the_cores(cores, threads):
    assert compute(Gpu("Card", 8192, (8, 0)), cores)[0].threads == threads


def test_the_micro_batch_is_measured_on_the_worker_and_says_in_what():
    found, origins = compute(Gpu("Card", 8192, (8, 0)))
    assert found.micro_batch == "auto"
    assert origins["compute.micro_batch"].endswith("8 GiB")


def test_without_a_gpu_the_worker_decides():
    found, origins = compute(None)
    assert (found.precision, found.threads, found.micro_batch) == ("auto", "auto", "auto")
    assert all("no GPU" in origins[f"compute.{key}"] for key in ("precision", "threads", "micro_batch"))


@pytest.mark.parametrize(("p5_side", "crop"), [(480, 32), (50, 24)])
def test_made_for_a_cpu_the_crops_are_small(p5_side, crop):
    ref = DatasetRef("photos", stats=PictureStats(pictures=100, p5_side=p5_side))
    made = expand(ref, overrides=device_layers(None, 16, cpu=True)).spec.datasets.train
    assert (made.batch_size, made.lq_size) == (16, crop)
    left_open = expand(ref, overrides=device_layers(None, 16)).spec.datasets.train
    assert left_open.lq_size == (64 if p5_side > 128 else crop)


def test_of_an_unknown_chip_nothing_is_guessed():
    assert compute(Gpu("GPU-uuid"))[0].precision == "auto"


def test_the_user_has_the_last_word():
    own = ("custom_overrides", {"compute": {"precision": "fp32", "micro_batch": 4}})
    found, origins = compute(Gpu("Card", 8192, (8, 0)), 16, own)
    assert (found.precision, found.micro_batch, found.threads) == ("fp32", 4, 4)
    assert origins["compute.precision"] == "custom_overrides"
