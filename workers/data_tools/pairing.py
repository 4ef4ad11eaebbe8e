"""Finds the LR picture of each HR picture, and the scale between them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from srqueue.counting import counted
from srqueue.datasets.names import first_five, shown
from srqueue.errors import DataError

Size = tuple[int, int]
SCALES = (2, 3, 4)

# Endings that data sets put on the names of a pair: 0801x2, img_001_LR, a-LRx4, b_SRF_2_HR, c_x3.
_LR_ENDING = re.compile(
    r"[ ._-]lr([ ._-]?x[234])?\Z|[ ._-]?x[234]\Z|[ ._-]?lrx[234]\Z|[ ._-]x[234][ ._-]?lr\Z", re.I
)
_HR_ENDING = re.compile(r"[ ._-](hr|gt)\Z", re.I)


def pair(hr: Iterable[str], lr: Iterable[str]) -> dict[str, str]:
    """HR path -> LR path, by the path without its file ending.

    What has no partner is tried again without endings such as `x2`, `_LR` and `_HR`. Raises DataError that
    names what stays without a partner, or has two.
    """
    hr_of, lr_of = _by_key(hr, "HR"), _by_key(lr, "LR")
    pairs = {hr_of[key]: lr_of[key] for key in hr_of.keys() & lr_of.keys()}
    lone_hr = [path for key, path in hr_of.items() if key not in lr_of]
    lone_lr = [path for key, path in lr_of.items() if key not in hr_of]
    if lone_hr and lone_lr:
        short_hr = _by_key(lone_hr, "HR", _HR_ENDING)
        short_lr = _by_key(lone_lr, "LR", _LR_ENDING)
        pairs |= {short_hr[key]: short_lr[key] for key in short_hr.keys() & short_lr.keys()}
        lone_hr = [path for key, path in short_hr.items() if key not in short_lr]
        lone_lr = [path for key, path in short_lr.items() if key not in short_hr]
    if lone_hr or lone_lr:
        texts = [
            f"{len(paths)} of {kind} ({first_five(sorted(paths))})"
            for kind, paths in (("HR", lone_hr), ("LR", lone_lr))
            if paths
        ]
        lone = len(lone_hr) + len(lone_lr)
        raise DataError(
            f"{counted(lone, 'picture')} {'has' if lone == 1 else 'have'} no partner: {', '.join(texts)}",
            hint="a pair has the same name, file ending aside; LR may add _LR, x2, _x2",
        )
    return dict(sorted(pairs.items()))


def fit_scale(sizes: Mapping[str, tuple[Size, Size]], scale: int | None) -> int:
    """The scale of the pairs `{HR path: (HR size, LR size)}`; `scale` itself where it is given and fits.

    Raises DataError where no scale fits, or not for all: HR must be exactly LR times the scale.
    """
    fits = {path: _scale(hr, lr) for path, (hr, lr) in sizes.items()}
    found = sorted({s for s in fits.values() if s})
    if len(found) > 1:
        raise _mixed(fits, sizes)
    if scale is None and not found:
        raise DataError(
            "no scale fits the pairs: " + first_five([_sizes(path, *pair) for path, pair in sizes.items()]),
            hint="HR must be exactly 2, 3 or 4 times as large as LR",
        )
    scale = scale or found[0]
    wrong = [_sizes(path, *sizes[path]) for path, of in fits.items() if of != scale]
    if wrong:
        cut = f"HR must be exactly {scale} times as large as LR; cut HR to a multiple of {scale} first"
        raise DataError(
            f"{len(wrong)} of {len(sizes)} pairs do not fit the scale {scale}: {first_five(wrong)}",
            hint=cut if found in ([], [scale]) else f"they are x{found[0]}: leave the scale out",
        )
    return scale


def _scale(hr: Size, lr: Size) -> int | None:
    return next((s for s in SCALES if (lr[0] * s, lr[1] * s) == hr), None)


def _mixed(fits: Mapping[str, int | None], sizes: Mapping[str, tuple[Size, Size]]) -> DataError:
    """The error where pairs are of several whole scales: nothing is to be cut, they are to be sorted."""
    groups = [
        (s, [_sizes(path, *sizes[path]) for path, of in fits.items() if of == s]) for s in (*SCALES, None)
    ]
    told = ", ".join(
        f"{len(paths)} of {f'x{s}' if s else 'none'}: {first_five(paths)}" for s, paths in groups if paths
    )
    return DataError(
        f"the pairs are of different scales; of {len(sizes)} are {told}",
        hint="a data set has one scale: sort the pairs into folders by theirs, and make a data set of each",
    )


def _by_key(paths: Iterable[str], what: str, ending: re.Pattern[str] | None = None) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        pure = PurePosixPath(path)
        stem = ending.sub("", pure.stem) if ending else pure.stem
        key = str(pure.with_name(stem or pure.stem))
        if key in found:
            both = first_five([found[key], path])
            raise DataError(
                f"two {what} pictures have the same name, file ending aside: {both}",
                hint="remove or rename one of them",
            )
        found[key] = path
    return found


def _sizes(path: str, hr: Size, lr: Size) -> str:
    return f"{shown(path)} (HR {hr[0]}x{hr[1]}, LR {lr[0]}x{lr[1]})"
