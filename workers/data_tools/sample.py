"""Writes the demo's photographs, which lie inside scikit-image's wheel, as PNG files."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from srqueue.datasets.names import shown
from srqueue.errors import DataError, SrqueueError
from srqueue.run.atomic import write_file
from workers.data_tools.picture import BrokenPicture, read_rgb
from workers.pixels import Pixels

# Photographs that scikit-image's docstrings call CC0 or public domain, and that its wheel holds. Half of the
# colour ones are smooth: the four grey ones bring the detail (+0.4 dB held out, 1,500 steps).
HELD_OUT = ("astronaut.png", "coffee.png")
COLOUR = ("chelsea.png", "hubble_deep_field.jpg", "retina.jpg", "rocket.jpg")
GREY = ("brick.png", "camera.png", "grass.png", "gravel.png")
TRAINED_ON = (*COLOUR, *GREY)

LICENCE = (
    "CC0 (brick, camera, chelsea, coffee, grass, gravel, retina), "
    "public domain (astronaut, hubble_deep_field, rocket)"
)
SOURCE = (
    "scikit-image, skimage/data (photographs: NASA, SpaceX, R. Michetti, M. Häggström, S. van der Walt, "
    "L. Varshney, CC0Textures)"
)


@dataclass(frozen=True)
class SampleRequest:
    """Where the pictures go."""

    folder: str


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """`write_sample` on a request out of JSON."""
    return write_sample(SampleRequest(**request))


def write_sample(request: SampleRequest) -> dict[str, Any]:
    """Writes what is missing or damaged under `folder`; files that are right stay untouched.

    Raises SrqueueError where scikit-image is not installed, DataError where its wheel lacks a photograph.
    """
    source, folder = _photographs(), Path(request.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*HELD_OUT, *TRAINED_ON):
        try:
            picture = read_rgb(source / name)
        except BrokenPicture as error:
            raise DataError(
                f"scikit-image's {name} {error}",
                where=shown(source),
                hint="pip install --force-reinstall 'scikit-image>=0.24'",
            ) from None
        target = (folder / name).with_suffix(".png")
        if not _holds(target, picture):
            buffer = BytesIO()
            Image.fromarray(picture).save(buffer, "PNG")
            write_file(target, buffer.getvalue())
    return {
        "hold_out": [Path(name).stem for name in HELD_OUT],
        "licence": LICENCE,
        "source": SOURCE,
    }


def _photographs() -> Path:
    """The folder inside scikit-image, found without importing it (an import takes a second)."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise SrqueueError(
            "the sample pictures come out of scikit-image, which is not installed",
            hint="pip install 'srqueue[demo]'",
        )
    return Path(spec.origin).parent / "data"


def _holds(file: Path, picture: Pixels) -> bool:
    try:
        return np.array_equal(read_rgb(file), picture)
    except BrokenPicture:
        return False
