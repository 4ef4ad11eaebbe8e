"""Batches that travel ahead on a stream of their own are those that are sent when they are asked for."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from srqueue.run.listing import Picture
from srqueue.spec.job import TrainSetSpec
from workers.trainer.data.batches import Batches
from workers.trainer.data.pictures import Pictures
from workers.trainer.loading import Loading

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here; run: make gpu-check"),
]


@pytest.fixture
def pictures(tmp_path):
    found = []
    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 256, (300, 280, 3), dtype=np.uint8)
        file = tmp_path / f"{number}.png"
        Image.fromarray(pixels).save(file)
        data = file.read_bytes()
        found.append(Picture(file.name, 280, 300, len(data), 0, hashlib.sha256(data).hexdigest()))
    return Pictures(tuple(found), Path(tmp_path), None, 2)


def batches(pictures, device, loading):
    spec = TrainSetSpec(name="x", lq_size=64, batch_size=16)
    return Batches(pictures, spec, 7, torch.device(device), True, loading=loading)


@pytest.mark.parametrize("loading", [Loading(0, 1, True), Loading(1, 1), Loading(4, 3, True)], ids=str)
def test_depth_threads_and_where_crops_are_turned_change_no_bit(pictures, loading):
    order = [*range(60), 10, 11, 12, 99, 98, *range(98, 130)]
    host = batches(pictures, "cpu", Loading())
    plain, other = (batches(pictures, "cuda", one) for one in (Loading(), loading))
    for iteration in order:
        one, two = plain[iteration], other[iteration]
        torch.cuda._sleep(200_000)  # the device is behind the host, as in a training
        for expected, found, levels in zip(one, two, host[iteration], strict=True):
            assert torch.equal(expected, found)
            assert torch.equal((found.cpu() * 255).round(), (levels * 255).round())
    other.close()
