"""Small photographs, as arrays and as files with a listing."""

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from srqueue.run.listing import Listing, Picture, identity_of
from workers.trainer.data.resize import resize_picture


@pytest.fixture(scope="session")
def photo():
    """uint8 [96, 80, 3]."""
    return np.ascontiguousarray(data.astronaut()[60:156, 90:170])


@pytest.fixture
def pair(photo):
    """The photograph with noise, and without: float32 [1, 3, 96, 80] in about 0..1."""
    hr = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    noise = torch.randn(hr.shape, generator=torch.Generator().manual_seed(3))
    return (hr + 0.05 * noise), hr


@pytest.fixture
def listed(tmp_path):
    """Writes pictures (name -> array) as PNG with a listing; `lr` says at which scale to write LR too."""

    def write(pictures, lr=None, held_out=()):
        found = []
        for name, pixels in pictures.items():
            file = save(tmp_path / "hr" / f"{name}.png", pixels)
            more = {}
            if lr:
                size = (pixels.shape[0] // lr, pixels.shape[1] // lr)
                small = save(tmp_path / "lr" / f"{name}.png", resize_picture(pixels, size))
                more = {"lr_path": small.name, "lr_size": small.stat().st_size, "lr_sha256": sha(small)}
            stat = file.stat()
            found.append(
                Picture(
                    file.name, pixels.shape[1], pixels.shape[0], stat.st_size, stat.st_mtime_ns, sha(file),
                    held_out=name in held_out, **more,
                )
            )  # fmt: skip
        chosen = tuple(found)
        lr_root = str(tmp_path / "lr") if lr else None
        return Listing("tiny", identity_of(chosen, lr_root), str(tmp_path / "hr"), lr_root, lr, chosen, {})

    return write


def save(path, pixels):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
