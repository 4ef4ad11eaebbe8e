"""Which crop of which picture goes where: a pure function of (seed, iteration, slot).

Nothing random is stateful, so a checkpoint holds no sampler, and no kill, prefetch depth or number of loader
workers can change what is trained on. The values of on-the-fly degradations come the same way, from streams
of their own. Bits come from Philox-4x64-10 (Salmon et al., SC 2011) with the
iteration as its counter: four words a slot. The order of the pictures is a keyed permutation per epoch: a
Feistel network on the next power of four with cycle-walking (Black and Rogaway, 2002).

The numbers are frozen by golden vectors in the tests: a change here changes what every seed trains.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Indices = NDArray[np.int64]

WORDS_A_SLOT = 4
_ROUNDS = 6
_SAMPLES, _DEGRADATIONS, _NOISE = 0, 1, 2
"""Second words of the Philox keys: each is a stream of its own."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Draws:
    """Samples of a run of iterations; every array is [iterations, batch].

    `picture`: index of the picture; `top`, `left`: raw 32-bit draws that `place` maps to a position;
    `hflip`, `vflip`, `transpose`: whether to mirror and to swap the axes.
    """

    picture: Indices
    top: Words
    left: Words
    hflip: NDArray[np.bool_]
    vflip: NDArray[np.bool_]
    transpose: NDArray[np.bool_]


def draw(seed: int, first: int, iterations: int, batch: int, pictures: int) -> Draws:
    """The samples of iterations `first` .. `first + iterations - 1` (0-based), `batch` slots each."""
    words = np.stack([_philox(seed, first + i, batch) for i in range(iterations)])
    slot = np.arange(batch, dtype=np.int64)
    position = (first + np.arange(iterations, dtype=np.int64))[:, None] * batch + slot
    epoch, index = np.divmod(position, pictures)
    flags = words[..., 2]
    return Draws(
        picture=permute(index, pictures, seed, epoch),
        top=words[..., 0] >> np.uint64(32),
        left=words[..., 1] >> np.uint64(32),
        hflip=(flags >> np.uint64(63)) & np.uint64(1) == 1,
        vflip=(flags >> np.uint64(62)) & np.uint64(1) == 1,
        transpose=(flags >> np.uint64(61)) & np.uint64(1) == 1,
    )


def instead(seed: int, position: int, pictures: int, bad: Container[int]) -> int | None:
    """The picture at `position` (iteration * batch + slot) where those in `bad` cannot be read.

    It is the next one in the epoch's permutation, cyclically, that is not in `bad`; None where all are.
    """
    epoch, index = divmod(position, pictures)
    for step in range(pictures):
        at = np.array([(index + step) % pictures], dtype=np.int64)
        found = int(permute(at, pictures, seed, np.array([epoch], dtype=np.int64))[0])
        if found not in bad:
            return found
    return None


def place(draw32: int, positions: int) -> int:
    """A 32-bit draw mapped to 0 .. `positions` - 1, evenly (multiply and shift; Lemire, 2019)."""
    return (draw32 * positions) >> 32


def permute(index: Indices, n: int, seed: int, epoch: Indices) -> Indices:
    """Where `index` (0 .. n-1) goes in the permutation of `epoch`: a bijection for each epoch.

    `index` and `epoch` have the same shape. Values that leave the range are sent through again until they
    are inside: at most four rounds on average, and the walk cannot leave its cycle, so it ends.
    """
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    keys = _round_keys(seed, epoch)
    value = index.astype(np.uint64)
    outside = np.ones(value.shape, dtype=np.bool_)
    while outside.any():
        value = np.where(outside, _feistel(value, half, keys), value)
        outside = value >= np.uint64(n)
    return value.astype(np.int64)


def uniforms(seed: int, iteration: int, step: int, batch: int) -> NDArray[np.float64]:
    """[batch, 4] float64 in [0, 1): what degradation `step` draws for the slots of an iteration.

    A stream of its own: degradations change nothing of what `draw` gives, nor one of them another.
    """
    words = _raw(seed, _DEGRADATIONS, (0, 0, step, iteration), batch * WORDS_A_SLOT)
    numbers: NDArray[np.float64] = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers.reshape(batch, WORDS_A_SLOT)


def noise_words(seed: int, iteration: int, step: int, slot: int, count: int) -> NDArray[np.uint32]:
    """`count` 32-bit words for the pixels of one slot: the lower half of a 64-bit word, then the upper."""
    words = _raw(seed, _NOISE, (0, slot, step, iteration), (count + 1) // 2)
    return words.astype("<u8").view("<u4")[:count].astype(np.uint32, copy=False)


def _philox(seed: int, iteration: int, batch: int) -> Words:
    """[batch, 4] words: block `slot` of the stream of `iteration`."""
    return _raw(seed, _SAMPLES, (0, 0, 0, iteration), batch * WORDS_A_SLOT).reshape(batch, WORDS_A_SLOT)


def _raw(seed: int, stream: int, counter: tuple[int, int, int, int], count: int) -> Words:
    bits = np.random.Philox(key=[seed, stream], counter=counter)
    return np.asarray(bits.random_raw(count), dtype=np.uint64)


def _feistel(value: Words, half: int, keys: list[Words]) -> Words:
    """A balanced Feistel network on 2 * `half` bits."""
    shift, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = value >> shift, value & mask
    for key in keys:
        left, right = right, left ^ (_mix(right ^ key) & mask)
    return (left << shift) | right


def _round_keys(seed: int, epoch: Indices) -> list[Words]:
    with np.errstate(over="ignore"):
        base = _mix(np.uint64(seed) + _GOLDEN) ^ _mix(epoch.astype(np.uint64) + _GOLDEN)
        return [_mix(base + np.uint64(r + 1) * _GOLDEN) for r in range(_ROUNDS)]


def _mix(x: Words | np.uint64) -> Words:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): a bijection on 64 bits."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))
