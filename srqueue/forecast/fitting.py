"""Fits of a curve so far: every shape by weighted least squares, averaged by how well they fit.

y(x) = a - b g(x) + c (1 - r), where r is the share of the full learning rate: a rate that falls shows
what its noise has hidden. Progress x is the area under the rate. Both terms are those of Tissue, Wang and
Wang, "Scaling law with learning rate annealing", 2024 (arXiv 2408.11029), with the families of `shapes`
in the place of its one power law. Averaging over families and the weight of recent points: Domhan et al.
2015; that a prior from curves in general is worth more than many points: Klein et al., "Learning curve
prediction with Bayesian neural networks", ICLR 2017, and Adriaensen et al., LC-PFN, 2023 (arXiv
2310.20447). `PRIOR` holds what ours were tuned to (benchmarks/forecast.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from srqueue.forecast.shapes import FAMILIES, Shape

MOST_POINTS = 40
_FAR = 4.0
_MOST_STEEPER = 3.0
_LIGHTEST = 1e-3  # weight beside the weightiest, below which a fit is left out
_ITERATIONS = 2

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Prior:
    """What is held before a curve is seen. Gains are in units of the spread of the points that are looked at.

    `ignored`: share of the run so far, from its beginning, that is left out; `recency`: weight of a point
    at a share s of the newest one's progress is s to this power; `independent`: as how many independent
    points all of them count at most; `annealing`, `annealing_sd`: gain from the rate's fall from full to
    none; `gain_sd`: of what four times the progress would gain; `floor`: least noise.
    """

    ignored: float = 0.265
    recency: float = 6.0
    independent: float = 25.5
    annealing: float = 0.016
    annealing_sd: float = 0.063
    gain_sd: float = 0.7
    floor: float = 0.0006


PRIOR = Prior()


@dataclass(frozen=True)
class Point:
    """A validation: `progress` is the area under the rate so far, `share` the rate's share then (0..1)."""

    progress: float
    share: float
    value: float


@dataclass(frozen=True)
class Fit:
    """One shape. `beta`: a, -b, c; `root`: lower triangle whose square is their covariance; in units of
    the value."""

    weight: float
    family: str
    shape: Shape
    unit: float  # of progress
    beta: Vector
    root: tuple[Vector, Vector, Vector]

    def features(self, progress: float, share: float) -> Vector:
        """What a, -b and c are multiplied by."""
        return (1.0, self.shape(max(progress / self.unit, 1e-9)), 1.0 - share)


@dataclass(frozen=True)
class Fitted:
    """All fits that matter, the weightiest first. `noise`: standard deviation of a validation around the
    curve; `slope`: what the newest points gained for each e-fold of the progress."""

    fits: tuple[Fit, ...]
    noise: float
    newest: Point
    slope: float = 0.0

    def families(self) -> dict[str, float]:
        """Weights by family."""
        found: dict[str, float] = {}
        for fit in self.fits:
            found[fit.family] = found.get(fit.family, 0.0) + fit.weight
        return found


def fit(points: Sequence[Point], prior: Prior = PRIOR, most: int = 24) -> Fitted | None:
    """The fits of a curve; None where there are fewer than four points to go by.

    `points` in the order of their progress; `most`: how many fits are kept.
    """
    seen = _looked_at(points, prior)
    if len(seen) < 4:
        return None
    newest = seen[-1]
    level = _mean([p.value for p in seen[-3:]])
    spread = max(max(p.value for p in seen) - min(p.value for p in seen), 1e-9)
    ys = [(p.value - level) / spread for p in seen]
    raw = [(p.progress / newest.progress) ** prior.recency for p in seen]
    total = sum(raw)
    counted = min(float(len(seen)), prior.independent)
    ws = [w * counted / total for w in raw]
    noise = _noise(seen, ys, ws, counted, prior)
    solved = [
        _Solved(one.score - math.log(len(family.shapes)), family.name, shape, one.beta, one.root, one.missed)
        for family in FAMILIES
        for shape in family.shapes
        if (one := _solve(shape, seen, ys, ws, noise, counted, newest.progress, prior)) is not None
    ]
    if not solved:  # it does not rise: what is known is its level
        solved = [_flat(ys, noise)]
    solved = sorted(solved, key=lambda one: -one.score)[:most]
    weights = [math.exp(one.score - solved[0].score) for one in solved]
    kept = [(w, one) for w, one in zip(weights, solved, strict=True) if w > _LIGHTEST]
    everything = sum(w for w, _ in kept)
    fits = tuple(
        Fit(
            weight / everything, one.family, one.shape, newest.progress,
            (level + spread * one.beta[0], spread * one.beta[1], spread * one.beta[2]),
            (_times(one.root[0], spread), _times(one.root[1], spread), _times(one.root[2], spread)),
        )
        for weight, one in kept
    )  # fmt: skip
    return Fitted(fits, noise * spread, newest, spread * _slope(seen, ys))


@dataclass(frozen=True)
class _Solved:
    """A shape's coefficients and the root of their covariance, in spreads; `score`: log weight;
    `missed`: weighted sum of squares."""

    score: float
    family: str
    shape: Shape
    beta: Vector
    root: tuple[Vector, Vector, Vector]
    missed: float


def _flat(ys: Sequence[float], noise: float) -> _Solved:
    """A curve that stays where its newest points are."""
    newest = ys[-max(len(ys) // 4, 3) :]
    none = (0.0, 0.0, 0.0)
    root = ((noise / math.sqrt(len(newest)), 0.0, 0.0), none, none)
    return _Solved(0.0, "flat", lambda x: 0.0, (_mean(newest), 0.0, 0.0), root, 0.0)


def _looked_at(points: Sequence[Point], prior: Prior) -> list[Point]:
    """Without the beginning, and where there are very many, older ones thinned."""
    if not points or points[-1].progress <= 0:
        return []
    least = prior.ignored * points[-1].progress
    late = [p for p in points if p.progress >= least and math.isfinite(p.value)]
    chosen = late if len(late) >= 4 else [p for p in points if p.progress > 0 and math.isfinite(p.value)]
    if len(chosen) <= MOST_POINTS:
        return chosen
    newest, older = chosen[-MOST_POINTS // 2 :], chosen[: -MOST_POINTS // 2]
    step = len(older) / (MOST_POINTS // 2)
    return [older[int(i * step)] for i in range(MOST_POINTS // 2)] + newest


def _slope(seen: Sequence[Point], ys: Sequence[float]) -> float:
    """Gain for each e-fold of the progress over the newest half of the points, by least squares; 0 or more.

    Where it has grown since the older half, a curve has not come to its bend: as many times more.
    """
    half = max(len(seen) // 2, 3)
    newest = _rise(seen[-half:], ys[-half:])
    before = _rise(seen[:-half], ys[:-half]) if len(seen) - half >= 3 else newest
    steeper = newest / before if before > 0 else 1.0
    return max(newest, 0.0) * min(max(steeper, 1.0), _MOST_STEEPER)


def _rise(seen: Sequence[Point], ys: Sequence[float]) -> float:
    xs = [math.log(p.progress) for p in seen]
    x, y = _mean(xs), _mean(ys)
    spread = sum((a - x) ** 2 for a in xs)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / spread if spread > 0 else 0.0


def _noise(
    seen: Sequence[Point], ys: Sequence[float], ws: Sequence[float], counted: float, prior: Prior
) -> float:
    """Standard deviation of a point around the curve: what the best of all shapes leaves."""
    shapes = (shape for family in FAMILIES for shape in family.shapes)
    unit = seen[-1].progress
    tries = (_solve(shape, seen, ys, ws, prior.floor, counted, unit, prior) for shape in shapes)
    least = min((one.missed for one in tries if one is not None), default=1.0)
    return max(math.sqrt(least / max(counted - 3.0, 1.0)), prior.floor)


def _solve(
    shape: Shape, seen: Sequence[Point], ys: Sequence[float], ws: Sequence[float], noise: float,
    counted: float, unit: float, prior: Prior,
) -> _Solved | None:  # fmt: skip
    """One shape, by least squares with the prior; None for a curve that would fall."""
    rows = [(1.0, shape(p.progress / unit), 1.0 - p.share) for p in seen]
    normal, right = _normal(rows, ys, ws)
    reach = shape(1.0) - shape(_FAR)
    # What four times the progress would gain, b (g(1) - g(4)), is held to be about the spread at the most.
    centre = (0.0, 0.0, prior.annealing)
    sharp = (1e-4, (reach / prior.gain_sd) ** 2, 1.0 / prior.annealing_sd**2)
    variance, beta, inverse, missed = noise**2, (0.0, 0.0, 0.0), normal, 0.0
    for _ in range(_ITERATIONS):
        matrix = [
            [normal[i][j] / variance + (sharp[i] if i == j else 0.0) for j in range(3)] for i in range(3)
        ]
        found = _inverted(matrix)
        if found is None:
            return None
        inverse = found
        aims = [right[i] / variance + sharp[i] * centre[i] for i in range(3)]
        beta = _product(inverse, aims)
        missed = sum(w * (y - _dot(beta, r)) ** 2 for w, y, r in zip(ws, ys, rows, strict=True))
        variance = (missed + 2 * noise**2) / (counted + 2)
        variance = max(variance, noise**2)
    if beta[1] > 0:  # it would fall as training goes on
        return None
    root = _cholesky(inverse)
    if root is None:
        return None
    against = sum(sharp[i] * (beta[i] - centre[i]) ** 2 for i in (1, 2))
    # The fit, what the prior has against it, and the volume that the points leave (Laplace).
    volume = math.log(max(root[0][0] * root[1][1] * root[2][2], 1e-300)) + 0.5 * sum(map(math.log, sharp))
    score = -0.5 * counted * math.log(variance) - 0.5 * against + volume
    return _Solved(score, "", shape, beta, root, missed)


def _normal(
    rows: Sequence[Vector], ys: Sequence[float], ws: Sequence[float]
) -> tuple[list[list[float]], list[float]]:
    matrix, right = [[0.0] * 3 for _ in range(3)], [0.0] * 3
    for (r0, r1, r2), y, w in zip(rows, ys, ws, strict=True):
        matrix[0][0] += w * r0 * r0
        matrix[0][1] += w * r0 * r1
        matrix[0][2] += w * r0 * r2
        matrix[1][1] += w * r1 * r1
        matrix[1][2] += w * r1 * r2
        matrix[2][2] += w * r2 * r2
        right[0] += w * r0 * y
        right[1] += w * r1 * y
        right[2] += w * r2 * y
    matrix[1][0], matrix[2][0], matrix[2][1] = matrix[0][1], matrix[0][2], matrix[1][2]
    return matrix, right


def _inverted(m: Sequence[Sequence[float]]) -> list[list[float]] | None:
    (a, b, c), (_, d, e), (_, _, f) = m
    first, second, third = d * f - e * e, c * e - b * f, b * e - c * d
    whole = a * first + b * second + c * third
    if not math.isfinite(whole) or abs(whole) < 1e-300:
        return None
    inner = [
        [first, second, third],
        [second, a * f - c * c, b * c - a * e],
        [third, b * c - a * e, a * d - b * b],
    ]
    return [[x / whole for x in row] for row in inner]


def _cholesky(m: Sequence[Sequence[float]]) -> tuple[Vector, Vector, Vector] | None:
    try:
        a = math.sqrt(m[0][0])
        b, c = m[1][0] / a, m[2][0] / a
        d = math.sqrt(m[1][1] - b * b)
        e = (m[2][1] - b * c) / d
        return (a, 0.0, 0.0), (b, d, 0.0), (c, e, math.sqrt(max(m[2][2] - c * c - e * e, 0.0)))
    except (ValueError, ZeroDivisionError):
        return None


def _product(m: Sequence[Sequence[float]], v: Sequence[float]) -> Vector:
    return (_dot(m[0], v), _dot(m[1], v), _dot(m[2], v))


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _times(v: Vector, factor: float) -> Vector:
    return (v[0] * factor, v[1] * factor, v[2] * factor)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
