"""Chooses the pictures that are held out for validation."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import PurePosixPath

from srqueue.datasets.names import first_five, shown
from srqueue.errors import DataError, UsageError, did_you_mean

LARGEST_SHARE = 100
"""Pictures; more make validation slow and say no more."""
_AT_ONCE = 250
_LOOKED_AT = 10_000


def share(
    paths: Collection[str],
    never: Collection[str] = (),
    unwanted: Callable[[Sequence[str]], Collection[str]] = lambda some: (),
) -> frozenset[str]:
    """1 % of the pictures, at least 1 and at most 100, by the lowest SHA-256 of their paths.

    The choice depends on the paths only, and a few more pictures change little of it. A single picture is
    never held out: nothing would be left to train on. Neither are those of `never`, so fewer than 1 % may be.
    What `unwanted` names of some paths is taken only where there are not enough others (among the first
    10,000: looking at each of very many pictures takes minutes).
    """
    if len(paths) < 2:
        return frozenset()
    count = min(max(len(paths) // 100, 1), LARGEST_SHARE)
    fit = set(paths).difference(never)
    order = sorted(fit, key=lambda p: (hashlib.sha256(os.fsencode(p)).digest(), p))
    chosen: list[str] = []
    for start in range(0, min(len(order), _LOOKED_AT), _AT_ONCE):
        some = order[start : start + _AT_ONCE]
        without = set(unwanted(some))
        chosen += [path for path in some if path not in without]
        if len(chosen) >= count:
            break
    rest = [path for path in order[:_LOOKED_AT] if path not in set(chosen)]
    return frozenset([*chosen, *rest][:count])


def named(paths: Collection[str], broken: Collection[str], names: Sequence[str]) -> frozenset[str]:
    """Exactly the pictures that `names` mean: a relative path, with or without its file ending, or the file's
    name alone where that is enough.

    Raises UsageError for a name that fits none or several, DataError where the picture is broken or none is
    left to train on.
    """
    chosen: set[str] = set()
    for name in names:
        fits = sorted(p for p in paths if name in _names_of(p))
        if len(fits) == 1:
            chosen.add(fits[0])
        elif name in paths:
            chosen.add(name)
        elif fits:
            raise UsageError(
                f"{shown(name)!r} means {len(fits)} pictures: {first_five(fits)}", hint="give the whole path"
            )
        elif any(name in _names_of(p) for p in broken):
            raise DataError(
                f"the picture to hold out cannot be used: {shown(name)}", hint="hold out another one"
            )
        else:
            stems = {PurePosixPath(p).stem for p in paths}
            raise UsageError(
                f"there is no picture {shown(name)!r} to hold out", hint=shown(did_you_mean(name, stems))
            )
    if len(chosen) == len(paths):
        raise DataError("all pictures are held out", hint="leave some to train on")
    return frozenset(chosen)


def _names_of(path: str) -> set[str]:
    pure = PurePosixPath(path)
    return {path, str(pure.with_suffix("")), pure.name, pure.stem}
