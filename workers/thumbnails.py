"""Thumbnails of pictures, by which nearly equal ones are found, and the file that keeps those of a data set.

The file lies beside the listing and is made anew where it is lost: keyed by the SHA-256 of each picture, it
cannot be out of date. 288 bytes a picture, so 42 MB for 147,000.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from srqueue.run.atomic import write_file
from workers.pixels import upright

SIDE = 16
_HIGHEST = 127

Thumbnail = NDArray[np.float32]
"""[256] of mean 0 (nearly) and length 1; all 0 for a flat picture. A dot product is the correlation."""


def thumbnail_of(image: Image.Image) -> Thumbnail:
    """The thumbnail of a loaded picture, from luma, so that size, contrast and brightness do not matter.

    It is rounded as in the file: else the same pictures could be split otherwise when they are added again.
    """
    grey = upright(image).convert("I" if image.mode.startswith("I") else "L").convert("F")
    small = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32).ravel()
    small = small - small.mean()
    if float(np.linalg.norm(small)) <= 1e-3:
        return np.zeros_like(small)
    return _of_length_one(np.round(small * (_HIGHEST / np.abs(small).max())))


def write_thumbnails(file: Path, thumbnails: Mapping[str, Thumbnail]) -> None:
    """Writes `{SHA-256 of the picture in hex: its thumbnail}`, whole or not at all."""
    keys = sorted(thumbnails)
    rows = np.stack([thumbnails[key] for key in keys]) if keys else np.zeros((0, SIDE * SIDE), np.float32)
    tops = np.abs(rows).max(1, keepdims=True, initial=0)
    levels = np.round(rows * (_HIGHEST / np.where(tops > 0, tops, 1))).astype(np.int8)
    data = io.BytesIO()
    sha256 = np.frombuffer(bytes.fromhex("".join(keys)), np.uint8).reshape(len(keys), 32)
    np.savez(data, sha256=sha256, levels=levels)
    write_file(file, data.getvalue())


def read_thumbnails(file: Path) -> dict[str, Thumbnail]:
    """What `write_thumbnails` wrote; empty where the file is missing or broken, as it can be made again."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            sha256, levels = stored["sha256"], stored["levels"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
    if sha256.shape != (len(levels), 32) or levels.shape[1:] != (SIDE * SIDE,):
        return {}
    rows = _of_length_one(levels.astype(np.float32))
    return {key.tobytes().hex(): row for key, row in zip(sha256, rows, strict=True)}


def _of_length_one(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Whole numbers up to 127 in rows: their sums of squares are exact, so the result never differs."""
    length = np.sqrt(np.square(levels).sum(-1, keepdims=True))
    return np.asarray(levels / np.where(length > 0, length, 1), np.float32)
