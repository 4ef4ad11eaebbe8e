"""Validation: a network and bicubic interpolation on whole pictures, by one protocol.

`val/psnr` is PSNR on Y of the moving-average network, clamped, rounded to 8 bits, a border of `scale` pixels
cut, averaged over pictures in dB. A picture whose file is grey counts as its own Y; one with three equal
channels goes through luma like any other, as in the published figures of Set14.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from workers.trainer import heart
from workers.trainer.data.pictures import Pictures
from workers.trainer.data.resize import Pixels, resize_picture
from workers.trainer.inference import super_resolve
from workers.trainer.metrics import errors, figures

Metrics = dict[str, float]
Look = Callable[[int, Tensor], None]
"""Gets the index of a picture and what was made of it, uint8 [3, H, W] on the device."""

KEPT_SHARE = 0.1
"""Of the memory that is free on a GPU when validation begins: pictures that fit in are uploaded once."""

AT_ONCE = 2**20
"""LR pixels that a GPU gets at once, of pictures of one size: small ones do not fill it."""


@dataclass(frozen=True)
class Group:
    """Pictures of one size on the device, uint8 [N, 3, H, W]; `grey`: which files are."""

    lr: Tensor
    hr: Tensor
    grey: tuple[bool, ...]

    @property
    def nbytes(self) -> int:
        """Bytes on the device."""
        return self.lr.nbytes + self.hr.nbytes


class Validator:
    """The validation set of a run. `interrupted` is asked before each picture, or group of them.

    On a GPU those of one size go through the network together and stay there as far as they fit, and what was
    measured is read back once, at the end. On a CPU that gains nothing.
    """

    def __init__(
        self, name: str, pictures: Pictures, device: torch.device, interrupted: Callable[[], bool]
    ) -> None:
        self.name, self.pictures = name, pictures
        self._device, self._interrupted = device, interrupted
        cuda = device.type == "cuda"
        sizes = [pictures.lr_size(i) for i in range(len(pictures))]
        self._groups = groups(sizes, AT_ONCE if cuda else 0)
        self._kept: dict[tuple[int, ...], Group] = {}
        self._room: int | None = None if cuda else 0

    def bicubic(self) -> Metrics | None:
        """What interpolation reaches: `bicubic/psnr`, `/ssim`, `/psnr_rgb`; None where interrupted."""
        means = mean(self._rows(self._interpolated))
        return {f"bicubic/{key}": value for key, value in means.items()} if means else None

    def network(self, net: nn.Module, look: Look | None = None) -> Metrics | None:
        """What `net` reaches: `val/psnr`, ... and the same under the set's name; None where interrupted.

        `look` is shown each picture on its way.
        """
        means = self._of(net, ensemble=False, look=look)
        if means is None:
            return None
        return {
            **{f"val/{key}": value for key, value in means.items()},
            f"val/{self.name}/psnr_y": means["psnr"],
            f"val/{self.name}/ssim_y": means["ssim"],
            f"val/{self.name}/psnr_rgb": means["psnr_rgb"],
        }

    def ensemble(self, net: nn.Module) -> Metrics | None:
        """What `net` reaches by self-ensemble: `ensemble/psnr`, `/ssim`, `/psnr_rgb`; None where interrupted.

        Never beside `val/...` under one name: it takes eight times as long, and every network gains by it.
        """
        means = self._of(net, ensemble=True)
        return {f"ensemble/{key}": value for key, value in means.items()} if means else None

    def each(self, net: nn.Module) -> tuple[list[Metrics], list[Metrics]] | None:
        """Of each picture what `net` reaches, and what interpolation does: psnr, ssim, psnr_rgb.

        None where interrupted. `mean` of the first are the figures of `network`, to the last digit.
        """
        net.eval()
        own = self._rows(lambda group: super_resolve(net, group.lr, self.pictures.scale))
        net.train()
        base = self._rows(self._interpolated) if own else None
        return (own, base) if own and base else None

    def _of(self, net: nn.Module, ensemble: bool, look: Look | None = None) -> Metrics | None:
        scale = self.pictures.scale
        net.eval()
        rows = self._rows(lambda group: super_resolve(net, group.lr, scale, ensemble=ensemble), look)
        net.train()
        return mean(rows)

    def _rows(self, enlarge: Callable[[Group], Tensor], look: Look | None = None) -> list[Metrics] | None:
        found: dict[int, Tensor] = {}
        for indices in self._groups:
            if self._interrupted():
                return None
            heart.beat()
            group = self._group(indices)
            enlarged = enlarge(group)
            if look is not None:
                for index, picture in zip(indices, enlarged, strict=True):
                    look(index, picture)
            pairs = zip(enlarged, group.hr, group.grey, strict=True)
            found |= zip(
                indices, (errors(*pair[:2], self.pictures.scale, pair[2]) for pair in pairs), strict=True
            )
        return [figures(row) for row in torch.stack([found[i] for i in sorted(found)]).tolist()]

    def _group(self, indices: tuple[int, ...]) -> Group:
        """It is uploaded once, as far as there is room; on the CPU the set itself keeps its pictures."""
        kept = self._kept.get(indices)
        if kept is not None:
            return kept
        pairs = [self.pictures[i] for i in indices]
        lr, hr = (
            torch.stack([to_tensor(p, self._device) for p in part])
            for part in ([pair.lr for pair in pairs], [pair.hr for pair in pairs])
        )
        group = Group(lr, hr, tuple(pair.grey for pair in pairs))
        if self._room is None:
            self._room = int(torch.cuda.mem_get_info(self._device)[0] * KEPT_SHARE)
        if group.nbytes <= self._room:
            self._room -= group.nbytes
            self._kept[indices] = group
        return group

    def _interpolated(self, group: Group) -> Tensor:
        size = group.hr.shape[-2:]
        pictures = [picture.permute(1, 2, 0).contiguous().cpu().numpy() for picture in group.lr]
        return torch.stack([to_tensor(resize_picture(p, (size[0], size[1])), self._device) for p in pictures])


def mean(rows: Sequence[Metrics] | None) -> Metrics | None:
    """Of each figure the mean over pictures; None for None."""
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]} if rows else None


def groups(sizes: Sequence[tuple[int, int]], pixels: int) -> tuple[tuple[int, ...], ...]:
    """Indices of pictures that go together: of one size, and no more `pixels` than given, or alone."""
    alike: dict[tuple[int, int], list[int]] = {}
    for index, size in enumerate(sizes):
        alike.setdefault(size, []).append(index)
    found: list[tuple[int, ...]] = []
    for (height, width), indices in alike.items():
        count = max(1, pixels // (height * width))
        found += [tuple(indices[i : i + count]) for i in range(0, len(indices), count)]
    return tuple(sorted(found))


def to_tensor(picture: Pixels, device: torch.device) -> Tensor:
    """uint8 [H, W, 3] -> uint8 [3, H, W] on the device."""
    return torch.from_numpy(picture).to(device).permute(2, 0, 1)
