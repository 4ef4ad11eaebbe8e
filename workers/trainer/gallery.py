"""Gallery: the same crops at each validation, written into the run folder for people to look at.

Cut out of what the validator computes anyway. Nothing of it is in a checkpoint: what is there is read from
the folder, and what is trained again is drawn again. The training goes on where none can be written.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image
from torch import Tensor

from srqueue.run.atomic import write_file
from srqueue.run.folder import RunDir
from srqueue.run.pictures import FIXED, Crop, Pictures, picture_file, read_pictures, write_pictures
from workers.trainer.comparison import CROP, hardest_crop
from workers.trainer.data.pictures import Pictures as ValidationSet
from workers.trainer.data.resize import Pixels, resize_picture
from workers.trainer.reporter import FULL

SHOWN = 3
"""Pictures of the validation set, from its beginning."""

KEPT = 24
"""Iterations, spread over the run by their ratio."""

_LEVEL = 1  # of zlib: four times as quick as the usual one, a tenth larger


class Gallery:
    """The pictures of one run. `warn` is told, once, why none can be written."""

    def __init__(self, run: RunDir, pictures: ValidationSet, warn: Callable[[str], None]) -> None:
        self._run, self._pictures, self._warn = run, pictures, warn
        self._crops: tuple[Crop, ...] = ()
        self._seen: dict[int, Tensor] = {}
        self._unwritten: dict[tuple[int, str], Pixels] = {}
        """Of bicubic and original, which never change."""
        self._warned = False

    def see(self, index: int, sr: Tensor) -> None:
        """Cuts its crop out of a picture of the validator, uint8 [3, H, W]; it stays on its device."""
        if index < min(SHOWN, len(self._pictures)):
            rows, columns = _window(self._places()[index])
            self._seen[index] = sr[:, rows, columns].clone()

    def write(self, iteration: int) -> None:
        """Writes what was seen as the pictures of `iteration`; what lies beyond it is trained again."""
        seen, self._seen = self._seen, {}
        if not seen or len(seen) != len(self._crops):
            return
        try:
            for (index, what), picture in list(self._unwritten.items()):
                self._save(index, what, picture)
                del self._unwritten[index, what]
            for index, tensor in seen.items():
                self._save(index, str(iteration), tensor.permute(1, 2, 0).cpu().numpy())
            kept = thinned([*self._before(iteration), iteration])
            write_pictures(self._run, Pictures(self._crops, kept))
            self._clear(kept)
        except OSError as error:
            if error.errno not in FULL and not self._warned:
                self._warned = True
                self._warn(f"the validation pictures cannot be written: {error.strerror or error}")

    def _places(self) -> tuple[Crop, ...]:
        """The crops, looked for once a run: the next attempt reads them."""
        if not self._crops:
            found = read_pictures(self._run)
            if found is not None and self._fits(found.crops):
                self._crops = found.crops
            else:
                self._crops = tuple(self._choose(i) for i in range(min(SHOWN, len(self._pictures))))
        return self._crops

    def _fits(self, crops: Sequence[Crop]) -> bool:
        """Whether they are of the pictures that are validated on, and what never changes is there."""
        names = [picture.path for picture in self._pictures.pictures[:SHOWN]]
        return [crop.name for crop in crops] == names and all(self._there(len(names), what) for what in FIXED)

    def _choose(self, index: int) -> Crop:
        pair = self._pictures[index]
        bicubic = resize_picture(pair.lr, pair.hr.shape[:2])
        top, left = hardest_crop(bicubic, pair.hr)
        height, width = min(CROP, pair.hr.shape[0]), min(CROP, pair.hr.shape[1])
        crop = Crop(self._pictures.pictures[index].path, top, left, height, width)
        for what, picture in zip(FIXED, (bicubic, pair.hr), strict=True):
            self._unwritten[index, what] = picture[_window(crop)].copy()
        return crop

    def _before(self, iteration: int) -> list[int]:
        """Earlier iterations whose pictures are there: after a power failure one may be empty."""
        found = read_pictures(self._run)
        if found is None or found.crops != self._crops:
            return []
        return [i for i in found.iterations if i < iteration and self._there(len(self._crops), str(i))]

    def _there(self, crops: int, what: str) -> bool:
        with contextlib.suppress(OSError):
            return all(picture_file(self._run, i, what).stat().st_size for i in range(crops))
        return False

    def _save(self, index: int, what: str, picture: Pixels) -> None:
        file = picture_file(self._run, index, what)
        file.parent.mkdir(parents=True, exist_ok=True)
        out = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture)).save(out, "PNG", compress_level=_LEVEL)
        write_file(file, out.getvalue(), durable=False)

    def _clear(self, kept: Sequence[int]) -> None:
        for index in range(len(self._crops)):
            names = {picture_file(self._run, index, str(iteration)).name for iteration in kept}
            for file in (self._run.pictures / str(index)).glob("it*.png"):
                if file.name not in names:
                    file.unlink(missing_ok=True)


def thinned(iterations: Sequence[int], most: int = KEPT) -> tuple[int, ...]:
    """At most so many of ascending iterations, the first and the newest among them.

    The one goes whose neighbours have the smallest ratio: what stays lies evenly on a logarithmic axis.
    """
    left = list(iterations)
    while len(left) > most:
        ratios = [left[i + 1] / left[i - 1] for i in range(1, len(left) - 1)]
        del left[1 + ratios.index(min(ratios))]
    return tuple(left)


def _window(crop: Crop) -> tuple[slice, slice]:
    return slice(crop.top, crop.top + crop.height), slice(crop.left, crop.left + crop.width)
