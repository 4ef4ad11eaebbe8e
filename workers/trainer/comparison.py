"""comparison.png: bicubic, model and original side by side, the same crop of each."""

from __future__ import annotations

import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from workers.trainer.data.pictures import Pictures
from workers.trainer.data.resize import Pixels, resize_picture
from workers.trainer.inference import super_resolve
from workers.trainer.metrics import compare
from workers.trainer.validation import to_tensor

CROP = 128
"""HR pixels a side."""

ZOOM = 3
ROWS = 3
"""Pictures shown at most."""

_GAP, _BAR = 6, 26


def comparison(net: nn.Module, pictures: Pictures, device: torch.device) -> bytes:
    """The PNG: a row a picture, with PSNR-Y of the whole picture in each label."""
    rows = [_row(net, pictures, i, device) for i in range(min(ROWS, len(pictures)))]
    width = max(row.width for row in rows)
    sheet = Image.new("RGB", (width, sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def _row(net: nn.Module, pictures: Pictures, index: int, device: torch.device) -> Image.Image:
    pair = pictures[index]
    hr = to_tensor(pair.hr, device)
    bicubic = resize_picture(pair.lr, pair.hr.shape[:2])
    sr = super_resolve(net, to_tensor(pair.lr, device), pictures.scale)
    shown = {
        f"bicubic {_decibels(to_tensor(bicubic, device), hr, pictures.scale, pair.grey)}": bicubic,
        f"model {_decibels(sr, hr, pictures.scale, pair.grey)}": sr.permute(1, 2, 0).cpu().numpy(),
        f"original: {pair.name}": pair.hr,
    }
    top, left = hardest_crop(bicubic, pair.hr)
    height, width = min(CROP, pair.hr.shape[0]), min(CROP, pair.hr.shape[1])
    size = (width * ZOOM, height * ZOOM)
    row = Image.new("RGB", (3 * (size[0] + _GAP) + _GAP, size[1] + _BAR + _GAP), "white")
    pen = ImageDraw.Draw(row)
    for column, (label, picture) in enumerate(shown.items()):
        x = _GAP + column * (size[0] + _GAP)
        crop = np.ascontiguousarray(picture[top : top + height, left : left + width])
        row.paste(Image.fromarray(crop).resize(size, Image.Resampling.NEAREST), (x, _BAR))
        pen.text((x, 5), _fitting(label, size[0]), fill="black", font=ImageFont.load_default(14))
    return row


def hardest_crop(bicubic: Pixels, hr: Pixels) -> tuple[int, int]:
    """(top, left) of the crop where interpolation is most wrong: there a network has something to show."""
    error: NDArray[np.float64] = np.abs(bicubic.astype(np.float64) - hr).sum(2)
    height, width = error.shape
    sums = np.pad(error.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    h, w = min(CROP, height), min(CROP, width)
    inside = sums[h:, w:] - sums[:-h, w:] - sums[h:, :-w] + sums[:-h, :-w]
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(top), int(left)


def _decibels(sr: Tensor, hr: Tensor, scale: int, grey: bool) -> str:
    return f"{compare(sr, hr, scale, grey)['psnr']:.2f} dB"


def _fitting(label: str, width: int) -> str:
    most = max(8, width // 8)
    return label if len(label) <= most else label[: most - 3] + "..."
