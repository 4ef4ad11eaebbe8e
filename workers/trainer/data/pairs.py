"""One picture twice: LR and HR, out of their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from srqueue.errors import DataError
from srqueue.run.listing import Picture, file_of
from workers.trainer.data.decode import REPAIR, read_original, read_picture
from workers.trainer.data.resize import Pixels, resize_picture


@dataclass(frozen=True)
class Pair:
    """One picture twice: `hr` is exactly `scale` times as high and wide as `lr`. `grey`: its file is."""

    name: str
    lr: Pixels
    hr: Pixels
    grey: bool


class Source:
    """The folders of a data set, one of HR or several; LR is made where there is no folder of it."""

    def __init__(
        self, hr_root: Path | Sequence[Path], lr_root: Path | Sequence[Path] | None, scale: int
    ) -> None:
        self._hr_roots = (hr_root,) if isinstance(hr_root, Path) else tuple(hr_root)
        self._lr_roots = (lr_root,) if isinstance(lr_root, Path) else tuple(lr_root or ())
        self._scale = scale

    @property
    def roots(self) -> tuple[Path, ...]:
        """All folders."""
        return (*self._hr_roots, *self._lr_roots)

    def files(self, picture: Picture) -> list[tuple[Path, int, str]]:
        """(path, bytes, SHA-256) of the picture's one or two files, as listed."""
        files = [(file_of(self._hr_roots, picture.path), picture.size, picture.sha256)]
        if picture.lr_path:
            lr_file = file_of(self._lr_roots, picture.lr_path)
            files.append((lr_file, picture.lr_size, picture.lr_sha256))
        return files

    def load(self, picture: Picture) -> Pair:
        """Decodes a pair. Raises DataError where it is not what the listing says (see read_picture)."""
        path = file_of(self._hr_roots, picture.path)
        hr, grey = read_original(path, picture.sha256)
        height, width = hr.shape[0] // self._scale, hr.shape[1] // self._scale
        if (hr.shape[0], hr.shape[1]) != (picture.height, picture.width):
            raise DataError(
                f"a picture is {hr.shape[1]}x{hr.shape[0]}, not {picture.width}x{picture.height} as listed",
                where=str(path),
                hint=REPAIR,
            )
        hr = hr[: height * self._scale, : width * self._scale]
        if not self._lr_roots or picture.lr_path is None:
            return Pair(picture.path, resize_picture(hr, (height, width)), hr, grey)
        lr_path = file_of(self._lr_roots, picture.lr_path)
        lr = read_picture(lr_path, picture.lr_sha256)
        if lr.shape[:2] != (height, width):
            raise DataError(
                f"an LR picture is {lr.shape[1]}x{lr.shape[0]}; its HR picture needs {width}x{height}",
                where=str(lr_path),
                hint=REPAIR,
            )
        return Pair(picture.path, lr, hr, grey)
