"""Tells by how much an enlarged LR picture is moved against its HR picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""A luma picture [height, width], or [height, width, 3]."""

_WINDOW = 256  # side of the middle part in which shifts are tried, HR pixels
_SMALLEST_WINDOW = 8
_LEAST = 0.75  # HR pixels along one axis; dropping every second pixel, a way to make LR, moves by half of one
_GAIN = 0.1  # dB that a shift must win to be believed
_SIGMAS = 5.0  # and as many standard deviations of what it would win by chance on white noise


def shift_between(original: Plane, enlarged: Plane, scale: int) -> tuple[int, int] | None:
    """(x, y) in whole HR pixels, up to `scale` each, where `enlarged` fits clearly better when moved so.

    Noise adds the same to the squared error of every shift, so the place of the least error tells more than
    how deep it is: it is refined between the pixels by a parabola. A wrong shift wins little by chance: it
    costs g^2 and wins 2 g s z / sqrt(n) at z standard deviations, where g is the difference that the shift
    makes, s the noise and n the number of low-resolution pixels: never more than z^2 / n of s^2.
    """
    height, width = original.shape
    reach = scale + 1
    side_y, side_x = min(_WINDOW, height - 2 * reach), min(_WINDOW, width - 2 * reach)
    if min(side_y, side_x) < _SMALLEST_WINDOW:
        return None
    top, left = (height - side_y) // 2, (width - side_x) // 2
    fixed = original[top : top + side_y, left : left + side_x].astype(np.float64).ravel()
    fixed -= fixed.mean()
    power = float(fixed @ fixed)

    @cache
    def error(dx: int, dy: int) -> float:
        """What is left of `fixed` without the moved picture at its best brightness and contrast."""
        window = enlarged[top + dy : top + dy + side_y, left + dx : left + dx + side_x]
        moved = window.astype(np.float64).ravel()
        spread = float(moved @ moved) - float(moved.sum()) ** 2 / moved.size
        return power - float(fixed @ moved) ** 2 / spread if spread > 0 else power

    steps = range(-scale, scale + 1)
    dx, dy = min(((x, y) for y in steps for x in steps), key=lambda at: (error(*at), at))
    if (dx, dy) == (0, 0):
        return None
    chance = 1 + _SIGMAS**2 * scale**2 / (side_y * side_x)
    if error(0, 0) <= error(dx, dy) * max(10 ** (_GAIN / 10), chance):
        return None
    x, y = _lowest(lambda x: error(x, dy), dx), _lowest(lambda y: error(dx, y), dy)
    return (dx, dy) if max(abs(x), abs(y)) >= _LEAST else None


def _lowest(error: Callable[[int], float], at: int) -> float:
    """Where the parabola through the least error and its neighbours is lowest, half a pixel off at most."""
    before, here, after = error(at - 1), error(at), error(at + 1)
    bend = before - 2 * here + after
    return at + min(max((before - after) / (2 * bend), -0.5), 0.5) if bend > 0 else float(at)
