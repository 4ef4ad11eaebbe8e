"""Validation in groups, as a GPU does it, against validation one by one."""

import numpy as np
import pytest
import torch
from PIL import Image

from srqueue.run.listing import Picture
from srqueue.spec.networks import CompactSpec
from workers.trainer.archs import build_network
from workers.trainer.data.pictures import Pictures
from workers.trainer.validation import Validator, groups


def test_pictures_of_one_size_go_together_within_the_pixels_that_a_gpu_gets_at_once():
    sizes = [(10, 20), (20, 10), (10, 20), (10, 20), (50, 50)]
    assert groups(sizes, 0) == ((0,), (1,), (2,), (3,), (4,))
    assert groups(sizes, 400) == ((0, 2), (1,), (3,), (4,))
    assert groups(sizes, 10**6) == ((0, 2, 3), (1,), (4,))


@pytest.fixture
def pictures(tmp_path, photo):
    """Two of one size, one of another between them, and one that is grey."""
    crops = {"a": photo[:48, :64], "b": photo[:64, :48], "c": photo[16:64, :64]}
    for name, crop in crops.items():
        Image.fromarray(np.ascontiguousarray(crop)).save(tmp_path / f"{name}.png")
    Image.fromarray(photo[:48, 16:80, 0].copy()).save(tmp_path / "d.png")
    listed = []
    for name in "abcd":
        with Image.open(tmp_path / f"{name}.png") as image:
            listed.append(Picture(f"{name}.png", image.width, image.height, 0, 0, ""))
    return Pictures(tuple(listed), tmp_path, None, 2)


def test_groups_measure_what_single_pictures_do(pictures):
    torch.manual_seed(1)
    net = build_network(CompactSpec(num_feat=8, num_conv=2), 2)
    alone, together = (Validator("own", pictures, torch.device("cpu"), lambda: False) for _ in range(2))
    together._groups = groups([pictures.lr_size(i) for i in range(4)], 2**20)
    assert together._groups == ((0, 2, 3), (1,))
    for measure in (lambda v: v.network(net), lambda v: v.bicubic(), lambda v: v.ensemble(net)):
        assert measure(together) == pytest.approx(measure(alone), abs=1e-3)
    assert together.bicubic() == pytest.approx(alone.bicubic(), abs=1e-12)
