"""Real photographs for the tests of data sets: crops out of scikit-image's wheel."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Crop = Callable[..., Image.Image]


@pytest.fixture(scope="session")
def crop() -> Crop:
    """crop(name, left, top, width, height): a piece of a photograph, RGB."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None and spec.origin is not None, "the tests need scikit-image"
    folder = Path(spec.origin).parent / "data"
    opened = {
        name: Image.open(folder / f"{name}.png").convert("RGB") for name in ("astronaut", "coffee", "chelsea")
    }

    def cut(
        name: str = "astronaut", left: int = 0, top: int = 0, width: int = 64, height: int = 48
    ) -> Image.Image:
        return opened[name].crop((left, top, left + width, top + height))

    return cut
