"""The pictures of a report: out of the run folder, or the newest that Redis has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from srqueue.report.subject import Crop, Gallery
from srqueue.run.folder import RunDir
from srqueue.run.pictures import picture_file, read_pictures
from srqueue.store.reader import Reader

LARGEST = 4 << 20
"""Bytes of one picture; a larger file is not one of ours."""
_PNG = b"\x89PNG\r\n\x1a\n"
_FIXED = ("bicubic", "original")


def gallery_of(run: RunDir) -> Gallery:
    """The crops of a run folder, else the sheet of its export, else nothing."""
    there = read_pictures(run)
    crops = []
    for index, crop in enumerate(there.crops if there else ()):
        wanted = [*_FIXED, *(str(i) for i in there.iterations)] if there else []
        found = {what: png for what in wanted if (png := _read(picture_file(run, index, what)))}
        crops += _crop(crop.name, found)
    return Gallery(crops=crops) if crops else Gallery(sheet=_read(run.export / "comparison.png"))


def stored_gallery(store: Reader, job_id: str) -> Gallery:
    """The newest crops in Redis; nothing where they are gone or were never there."""
    there = store.pictures(job_id)
    if there is None:
        return Gallery()
    crops = []
    for index, crop in enumerate(there.crops):
        images = {what: there.images.get(f"{index}/{what}", b"") for what in (*_FIXED, "model")}
        found = {str(there.iteration) if what == "model" else what: png for what, png in images.items()}
        crops += _crop(crop.name, {what: png for what, png in found.items() if png.startswith(_PNG)})
    return Gallery(crops=crops)


def _crop(name: str, found: Mapping[str, bytes]) -> list[Crop]:
    """The crop, where the two that never change are there and one of the model."""
    model = {int(what): png for what, png in found.items() if what not in _FIXED}
    if not model or not all(what in found for what in _FIXED):
        return []
    return [Crop(name=name, bicubic=found["bicubic"], original=found["original"], model=model)]


def _read(file: Path) -> bytes | None:
    try:
        data = file.read_bytes() if file.stat().st_size <= LARGEST else b""
    except OSError:
        return None
    return data if data.startswith(_PNG) else None
