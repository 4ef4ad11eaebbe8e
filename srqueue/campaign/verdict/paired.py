"""Paired comparison of two groups: picture by picture, and seed by seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Literal

from srqueue.campaign.verdict.groups import Board, Group, mean_of
from srqueue.campaign.verdict.sign_flips import p_value
from srqueue.campaign.verdict.student import below, interval, quantile

ALPHA = 0.05
ALL_PAIRS_OF = 10
"""Groups of a board that are all compared with each other; of more, the leader with MOST_AGAINST others."""
MOST_AGAINST = 30

Claim = Literal["more than noise", "one seed", "noise", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`difference`: dB, better less other, the mean over `pictures` of the seeds' mean; `low`, `high`: its
    95 % interval over pictures; `p`: of the sign-flip test; `p_seeds`: of a t test with the spread of a seed,
    None where no group has two; `p_holm`: of the larger of both, for all pairs of the board together.

    `seeds`: of each; `seeds_agree`: whether each seed says the same, None where there are not two of each;
    `seed_half`: half of the 95 % interval that seeds alone give, dB, None where no group has two.
    """

    better: Group
    other: Group
    difference: float
    pictures: int = 0
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_seeds: float | None = None
    p_holm: float | None = None
    seeds: tuple[int, int] = (0, 0)
    seeds_agree: bool | None = None
    seed_half: float | None = None

    @property
    def claim(self) -> Claim:
        """more than noise: pictures, seeds and their spread all say so; one seed: what there is says so, and
        nobody knows of another seed."""
        if self.p_holm is None or self.low is None or self.high is None:
            return "unknown"
        if self.p_holm >= ALPHA or self.low <= 0 or self.seeds_agree is False:
            return "noise"
        return "one seed" if self.seeds_agree is None else "more than noise"

    @property
    def why(self) -> str:
        """The claim for people."""
        if self.p_holm is None or self.low is None or self.high is None:
            return "not known: figures of single pictures are missing"
        if self.claim == "more than noise":
            return f"more than noise: pictures and {min(self.seeds)} seeds each agree"
        if self.claim == "one seed":
            return "clear over the pictures, but of one seed only: another may say otherwise"
        by_seeds = (self.p or 0.0) < ALPHA and (self.p_seeds or 0.0) > (self.p or 0.0)
        if self.low <= 0 or (self.p_holm >= ALPHA and not by_seeds):
            few = (self.p or 0.0) <= 2 ** (1 - self.pictures)  # they do agree: there is no smaller p
            if few:
                return f"cannot be told from noise: {self.pictures} pictures are too few"
            return "not more than noise: the pictures do not agree"
        if self.seeds_agree is False:
            return "not more than noise: the seeds do not agree"
        return "not more than noise: seeds alone differ as much"


def comparisons(board: Board) -> tuple[Comparison, ...]:
    """The pairs of a board, the leader's first; p adjusted for all of them together."""
    groups = board.measured
    if len(groups) <= ALL_PAIRS_OF:
        pairs = list(combinations(groups, 2))
    else:
        pairs = [(groups[0], other) for other in groups[1 : MOST_AGAINST + 1]]
    found = [compare(board, *pair) for pair in pairs]
    # Both are asked for, so the larger p is that of the claim (an intersection-union test: Berger, 1982).
    adjusted = iter(holm([max(c.p, c.p_seeds or 0.0) for c in found if c.p is not None]))
    return tuple(replace(c, p_holm=next(adjusted)) if c.p is not None else c for c in found)


def compare(board: Board, better: Group, other: Group) -> Comparison:
    """One pair, as if it were the only one; `better` is the one with the higher mean."""
    seeds = (better.n, other.n)
    difference = (better.mean or 0.0) - (other.mean or 0.0)
    p_seeds, half = _by_seeds(board.noise_of(better, other), seeds, difference)
    rough = Comparison(
        better=better, other=other, difference=difference, seeds=seeds,
        seeds_agree=_agree(better, other), p_seeds=p_seeds, seed_half=half,
    )  # fmt: skip
    differences = picture_differences(better, other)
    if len(differences) < 2:
        return rough
    low, high = interval(differences)
    p = p_value(differences, f"{better.label}/{other.label}")
    mean = math.fsum(differences) / len(differences)
    return replace(rough, difference=mean, pictures=len(differences), low=low, high=high, p=p)


def picture_differences(one: Group, other: Group) -> list[float]:
    """PSNR-Y of each picture that all cells of both have, averaged over seeds: one less other, dB."""
    of_one, of_other = _by_picture(one), _by_picture(other)
    return [of_one[name] - of_other[name] for name in of_one if name in of_other]


def holm(values: Sequence[float]) -> list[float]:
    """p values such that the chance of any false claim stays below the limit (Holm, 1979), in their order."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    adjusted, least = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, values[place] * (len(values) - rank)))
        adjusted[place] = least
    return adjusted


def _by_picture(group: Group) -> dict[str, float]:
    """The mean over seeds of each picture; empty where a cell has no figures of its pictures."""
    tables = [
        {picture.name: picture.psnr_y for picture in cell.scores.pictures} if cell.scores else {}
        for cell in group.measured
    ]
    names = [name for name in tables[0] if all(name in table for table in tables)] if tables else []
    return {name: mean_of(table[name] for table in tables) or 0.0 for name in names}


def _agree(better: Group, other: Group) -> bool | None:
    """Where seeds are the same, each by itself; else every one of `better` above every one of `other`."""
    if min(better.n, other.n) < 2:
        return None
    ours, theirs = ({cell.seed: cell.psnr or 0.0 for cell in group.measured} for group in (better, other))
    shared = ours.keys() & theirs.keys()
    if len(shared) >= 2:
        return all(ours[seed] > theirs[seed] for seed in shared)
    return all(one > two for one, two in product(ours.values(), theirs.values()))


def _by_seeds(
    noise: tuple[float, int] | None, seeds: tuple[int, int], difference: float
) -> tuple[float | None, float | None]:
    """(two-sided p, half of the 95 % interval) of a difference of means, by the spread of a seed pooled over
    the board; None where nothing is known of it."""
    if noise is None or not all(seeds):
        return None, None
    sd, freedom = noise
    error = sd * math.sqrt(1 / seeds[0] + 1 / seeds[1])
    p = 2 * (1 - below(abs(difference) / error, freedom)) if error else 0.0
    return p, quantile(1 - ALPHA / 2, freedom) * error
