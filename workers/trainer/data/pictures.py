"""The pairs of one data set: decoded at first use, kept as uint8 while memory lasts."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from srqueue.errors import DataError
from srqueue.run.listing import Picture, file_of
from workers.trainer import heart
from workers.trainer.data.decode import REPAIR, DataMissing, check_content, read_original, read_picture
from workers.trainer.data.resize import Pixels, resize_picture

GOLDEN = (math.sqrt(5) - 1) / 2

_CGROUP = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclass(frozen=True)
class Pair:
    """One picture twice: `hr` is exactly `scale` times as high and wide as `lr`. `grey`: its file is."""

    name: str
    lr: Pixels
    hr: Pixels
    grey: bool


def free_memory() -> int:
    """Bytes that this process could still take, in this container."""
    free = psutil.virtual_memory().available
    for file in _CGROUP:
        try:
            free = min(free, int(file.read_text()) - psutil.Process().memory_info().rss)
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return max(0, free)


MOUNT = "mount its disk or bring the pictures back; until then the job waits"


def spread(count: int) -> Iterator[int]:
    """0 .. count - 1, each once, in an order of which every beginning lies evenly over the whole.

    Steps of the golden section round a circle; each is told as its place among all of them.
    """
    places = [0] * count
    for place, i in enumerate(sorted(range(count), key=lambda i: i * GOLDEN % 1)):
        places[i] = place
    return iter(places)


class Pictures:
    """Pairs by index, of one root or several (see srqueue.run.listing.Picture).

    They are kept while `keep_free` bytes of memory stay free (by default half of what is free now); the
    others are decoded again each time they are used.
    """

    def __init__(
        self,
        pictures: tuple[Picture, ...],
        hr_root: Path | Sequence[Path],
        lr_root: Path | Sequence[Path] | None,
        scale: int,
        keep_free: int | None = None,
    ) -> None:
        self.pictures = pictures
        self.scale = scale
        self._hr_roots = (hr_root,) if isinstance(hr_root, Path) else tuple(hr_root)
        self._lr_roots = (lr_root,) if isinstance(lr_root, Path) else tuple(lr_root or ())
        self._kept: dict[int, Pair] = {}
        self._keep_free = free_memory() // 2 if keep_free is None else keep_free

    def __len__(self) -> int:
        return len(self.pictures)

    def check_folders(self) -> None:
        """Raises DataMissing where a folder is gone; a disk that is not mounted leaves an empty one."""
        for root in (*self._hr_roots, *self._lr_roots):
            if not root.is_dir():
                raise DataMissing("the folder of a data set is not there", where=str(root), hint=MOUNT)
            if not any(root.iterdir()):
                told = "the folder of a data set is empty: its pictures are not there"
                raise DataMissing(told, where=str(root), hint=MOUNT)

    def check_files(self) -> None:
        """Looks at the size of every file, without reading it.

        Raises DataMissing where one is gone, DataError where one is not as large as it was when it was added.
        """
        self.check_folders()
        for path, size, _ in self._files():
            try:
                found = path.stat().st_size
            except OSError as error:
                raise DataMissing(
                    f"cannot read a picture: {error.strerror}", where=str(path), hint=REPAIR
                ) from None
            if found != size:
                raise DataError(
                    f"a picture has {found} bytes, not {size} as when the data set was added",
                    where=str(path),
                    hint=REPAIR,
                )

    def check_contents(self, seconds: float) -> int:
        """Compares files with their SHA-256 until all are done or the time is over, at least one; how many.

        They are taken in a fixed order, all over the data set. Raises DataMissing and DataError as reading
        them would.
        """
        files, limit = self._files(), time.monotonic() + seconds
        for done, index in enumerate(spread(len(files)), 1):
            path, _, sha256 = files[index]
            check_content(path, sha256)
            if time.monotonic() > limit:
                return done
        return len(files)

    @property
    def files(self) -> int:
        """Files of HR and LR pictures."""
        return len(self._files())

    def _files(self) -> list[tuple[Path, int, str]]:
        """(path, bytes, SHA-256) of every file, as listed."""
        files = [(file_of(self._hr_roots, p.path), p.size, p.sha256) for p in self.pictures]
        return files + [
            (file_of(self._lr_roots, p.lr_path), p.lr_size, p.lr_sha256) for p in self.pictures if p.lr_path
        ]

    def lr_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the LR picture, from the listing: known before it is decoded."""
        picture = self.pictures[index]
        return picture.height // self.scale, picture.width // self.scale

    def __getitem__(self, index: int) -> Pair:
        pair = self._kept.get(index)
        if pair is None:
            pair = self._load(self.pictures[index])
            if free_memory() > self._keep_free:
                self._kept[index] = pair
        return pair

    def _load(self, picture: Picture) -> Pair:
        heart.beat()
        path = file_of(self._hr_roots, picture.path)
        hr, grey = read_original(path, picture.sha256)
        height, width = hr.shape[0] // self.scale, hr.shape[1] // self.scale
        if (hr.shape[0], hr.shape[1]) != (picture.height, picture.width):
            raise DataError(
                f"a picture is {hr.shape[1]}x{hr.shape[0]}, not {picture.width}x{picture.height} as listed",
                where=str(path),
                hint=REPAIR,
            )
        hr = hr[: height * self.scale, : width * self.scale]
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
