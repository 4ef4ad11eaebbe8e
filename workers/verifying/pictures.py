"""Made-up pictures to train on for a minute: noise whose spectrum falls as that of photographs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from srqueue.run.listing import Listing, Picture, identity_of

NAME = "verify-resume"
SIDE = 96
COUNT = 4
"""Pictures; the last one is held out for validation."""


def make_pictures(folder: Path, seed: int = 0) -> Listing:
    """Writes pictures below `folder`, and their listing beside them (`listing.json`)."""
    place = folder / "pictures"
    place.mkdir(parents=True, exist_ok=True)
    generator = np.random.Generator(np.random.Philox(seed))
    found = []
    for number in range(COUNT):
        file = place / f"{number}.png"
        Image.fromarray(_picture(generator)).save(file)
        data, stat = file.read_bytes(), file.stat()
        found.append(
            Picture(
                file.name, SIDE, SIDE, len(data), stat.st_mtime_ns, hashlib.sha256(data).hexdigest(),
                held_out=number == COUNT - 1,
            )
        )  # fmt: skip
    listing = Listing(NAME, identity_of(tuple(found), None), str(place), None, None, tuple(found), {})
    listing.write(folder / "listing.json")
    return listing


def _picture(generator: np.random.Generator) -> NDArray[np.uint8]:
    """uint8 RGB [SIDE, SIDE, 3]; amplitudes fall as 1/f (Field 1987)."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :])
    frequency[0, 0] = 1.0
    channels = []
    for _ in range(3):
        noise = np.fft.rfft2(generator.standard_normal((SIDE, SIDE)))
        plane = np.fft.irfft2(noise / frequency, s=(SIDE, SIDE))
        low, high = np.percentile(plane, (1, 99))
        channels.append(np.clip((plane - low) / (high - low), 0, 1) * 255)
    return np.stack(channels, axis=-1).round().astype(np.uint8)
