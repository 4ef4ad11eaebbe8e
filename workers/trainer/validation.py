"""Validation: a network and bicubic interpolation on whole pictures, by one protocol.

`val/psnr` is PSNR on Y of the moving-average network, clamped, rounded to 8 bits, a border of `scale` pixels
cut, averaged over pictures in dB. A picture whose file is grey counts as its own Y; one with three equal
channels goes through luma like any other, as in the published figures of Set14.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from workers.trainer import heart
from workers.trainer.data.pictures import Pair, Pictures
from workers.trainer.data.resize import Pixels, resize_picture
from workers.trainer.inference import super_resolve
from workers.trainer.metrics import compare

Metrics = dict[str, float]


class Validator:
    """The validation set of a run. `interrupted` is asked before each picture."""

    def __init__(
        self, name: str, pictures: Pictures, device: torch.device, interrupted: Callable[[], bool]
    ) -> None:
        self.name, self.pictures = name, pictures
        self._device, self._interrupted = device, interrupted

    def bicubic(self) -> Metrics | None:
        """What interpolation reaches: `bicubic/psnr`, `/ssim`, `/psnr_rgb`; None where interrupted."""
        means = self._mean(lambda pair: to_tensor(resize_picture(pair.lr, pair.hr.shape[:2]), self._device))
        return {f"bicubic/{key}": value for key, value in means.items()} if means else None

    def network(self, net: nn.Module) -> Metrics | None:
        """What `net` reaches: `val/psnr`, ... and the same under the set's name; None where interrupted."""
        means = self._of(net, ensemble=False)
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

    def _of(self, net: nn.Module, ensemble: bool) -> Metrics | None:
        scale = self.pictures.scale
        net.eval()
        means = self._mean(
            lambda pair: super_resolve(net, to_tensor(pair.lr, self._device), scale, ensemble=ensemble)
        )
        net.train()
        return means

    def _mean(self, enlarge: Callable[[Pair], Tensor]) -> Metrics | None:
        rows: list[Metrics] = []
        for index in range(len(self.pictures)):
            if self._interrupted():
                return None
            heart.beat()
            pair = self.pictures[index]
            hr = to_tensor(pair.hr, self._device)
            rows.append(compare(enlarge(pair), hr, self.pictures.scale, pair.grey))
        return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def to_tensor(picture: Pixels, device: torch.device) -> Tensor:
    """uint8 [H, W, 3] -> uint8 [3, H, W] on the device."""
    return torch.from_numpy(picture).to(device).permute(2, 0, 1)
